//! A pipeline of several feeds becomes ordinary pipelines of one object each.

use super::feeds::{Feed, FeedDestination, FeedIncremental};
use super::{Pipeline, PipelineFile, TransformStep};

/// What stands for the object's name in texts of configurations.
pub(super) const PATTERN: &str = "{object}";

impl Pipeline {
    /// The pipelines of its feeds in their order, each of one object; a pipeline of one object or a query is itself.
    #[must_use]
    pub fn feeds(&self) -> Vec<Self> {
        if !self.file.source.has_feeds() {
            return vec![self.clone()];
        }
        let of = |feed: &Feed| Self { file: expand(&self.file, feed), path: self.path.clone() };
        self.file.source.all_feeds().iter().map(of).collect()
    }

    /// What tells its feed from the others of the pipeline: the object; none of a pipeline that is not one of several.
    #[must_use]
    pub fn feed(&self) -> Option<&str> {
        self.file.source.object.as_deref().filter(|_| self.file.source.is_one_of_several)
    }
}

impl TransformStep {
    /// Whether rows of that object go through it.
    pub(crate) fn serves(&self, object: Option<&str>) -> bool {
        serves(&self.objects, object)
    }
}

/// Whether a list of objects, of which an empty one means all, has that object.
pub(crate) fn serves(objects: &[String], object: Option<&str>) -> bool {
    objects.is_empty() || object.is_none_or(|object| objects.iter().any(|name| name.eq_ignore_ascii_case(object)))
}

/// The pipeline of one feed.
pub(super) fn expand(file: &PipelineFile, feed: &Feed) -> PipelineFile {
    let mut one = file.clone();
    let source = &mut one.source;
    (source.objects, source.feeds, source.parallel_feeds) = (Vec::new(), Vec::new(), None);
    source.object = Some(feed.object.clone());
    source.is_one_of_several = true;
    if let Some(fields) = &feed.fields {
        source.fields.clone_from(fields);
    }
    if let Some(condition) = &feed.condition {
        source.condition = Some(condition.clone()).filter(|text| !text.trim().is_empty());
    }
    match &feed.incremental {
        None => {}
        Some(FeedIncremental::On(false)) => source.incremental = None,
        Some(FeedIncremental::On(true)) => source.incremental = Some(source.incremental.take().unwrap_or_default()),
        Some(FeedIncremental::With(own)) => source.incremental = Some(own.clone()),
    }
    source.action = feed.action.unwrap_or(source.action);
    source.api = feed.api.unwrap_or(source.api);
    source.pk_chunking = feed.pk_chunking.clone().or(source.pk_chunking.take());
    source.max_records = feed.max_records.or(source.max_records);
    if let Some(own) = &feed.destination {
        patch(&mut one, own);
    }
    fill(&mut one.destination.config, &feed.object);
    one.transform.iter_mut().for_each(|step| fill(&mut step.config, &feed.object));
    one
}

fn patch(file: &mut PipelineFile, own: &FeedDestination) {
    let step = &mut file.destination;
    step.mode = own.mode.unwrap_or(step.mode);
    if let Some(keys) = &own.keys {
        step.keys.clone_from(keys);
    }
    step.config.extend(own.config.clone());
}

fn fill(table: &mut toml::Table, object: &str) {
    table.iter_mut().for_each(|(_, value)| fill_value(value, object));
}

fn fill_value(value: &mut toml::Value, object: &str) {
    match value {
        toml::Value::String(text) if text.contains(PATTERN) => *text = text.replace(PATTERN, object),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| fill_value(item, object)),
        toml::Value::Table(table) => fill(table, object),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Action, Mode, parse_pipeline};
    use super::*;

    fn feeds(text: &str) -> Vec<PipelineFile> {
        let file = parse_pipeline(text, Path::new("p.toml")).unwrap();
        Pipeline { file, path: "p.toml".into() }.feeds().into_iter().map(|feed| feed.file).collect()
    }

    const TWO: &str = r#"
name = "crm"
[source]
connection = "org"
objects = ["Account"]
where = "Name != null"
fields = ["FIELDS(STANDARD)"]
action = "query-all"
parallel_feeds = 2
[source.incremental]
overlap_minutes = 7
[[source.feeds]]
object = "Contact"
fields = []
where = " "
action = "query"
incremental = false
[source.feeds.destination]
mode = "merge"
keys = ["Id"]
config = { table = "people" }
[[transform]]
plugin = "mask"
objects = ["contact"]
config = { salt = { secret = "file:{object}.salt" }, columns = ["{object}__c", 1] }
[destination]
plugin = "sqlite"
config = { table = "crm_{object}", more = true }
"#;

    #[test]
    fn each_feed_is_a_pipeline_of_one_object() {
        let [account, contact] = feeds(TWO).try_into().unwrap();
        for file in [&account, &contact] {
            assert!(file.source.objects.is_empty() && file.source.feeds.is_empty());
            assert_eq!(file.source.parallel_feeds, None);
        }
        assert_eq!(account.source.object.as_deref(), Some("Account"));
        assert_eq!(account.source.condition.as_deref(), Some("Name != null"));
        assert_eq!((account.source.action, account.source.fields.len()), (Action::QueryAll, 1));
        assert_eq!(account.source.incremental.as_ref().and_then(|i| i.overlap_minutes), Some(7));
        assert_eq!(account.destination.config["table"].as_str(), Some("crm_Account"));
        assert_eq!(contact.source.condition, None);
        assert_eq!((contact.source.action, contact.source.fields.len()), (Action::Query, 0));
        assert_eq!(contact.source.incremental, None);
        assert_eq!((contact.destination.mode, contact.destination.keys.len()), (Mode::Merge, 1));
        assert_eq!(contact.destination.config["table"].as_str(), Some("people"));
        assert_eq!(contact.destination.config["more"].as_bool(), Some(true));
        assert_eq!(contact.transform[0].config["salt"]["secret"].as_str(), Some("file:Contact.salt"));
        assert_eq!(contact.transform[0].config["columns"][0].as_str(), Some("Contact__c"));
        assert!(contact.transform[0].serves(Some("Contact")) && !account.transform[0].serves(Some("Account")));
    }

    #[test]
    fn a_pipeline_of_one_object_is_itself() {
        let text = "name='a'\n[source]\nconnection='c'\nobject='Account'\n[destination]\nplugin='sqlite'\nconfig={table='{object}'}\n";
        let one = feeds(text);
        assert_eq!((one.len(), one[0].destination.config["table"].as_str()), (1, Some("{object}")));
        let file = Pipeline { file: one[0].clone(), path: "p.toml".into() };
        assert_eq!(file.feed(), None);
    }
}
