//! A session of several feeds: one client, one run id, one moment; each feed has a session of its own within it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Session;
use crate::backfill;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Observer;
use crate::file::{Mode, Pipeline, nearest};
use crate::plan::Plan;
use crate::preview::Preview;
use crate::run::writer::Writer;

impl Session {
    /// Whether the pipeline names its objects in a list, be it of one.
    #[must_use]
    pub fn has_feeds(&self) -> bool {
        self.pipeline.file.source.has_feeds()
    }

    /// The feeds by name, in the order of the file; of any other pipeline what it reads.
    #[must_use]
    pub fn feed_names(&self) -> Vec<String> {
        let name = |pipeline: Pipeline| pipeline.file.source.object.unwrap_or_else(|| super::QUERY.to_owned());
        self.pipeline.feeds().into_iter().map(name).collect()
    }

    /// Plans each feed for itself: what one cannot do says nothing of the others. Each with its name.
    pub async fn plan_feeds(&self) -> Vec<(String, Result<Plan, Error>)> {
        let mut plans = Vec::new();
        for (name, session) in self.feed_names().into_iter().zip(self.feeds()) {
            plans.push((name, session.plan().await));
        }
        plans
    }

    /// Shows rows of one feed, or of each.
    ///
    /// # Errors
    /// [`Error::Input`] for a feed that the pipeline does not have; else as [`Session::preview`], with the feed's name.
    pub async fn preview_feeds(
        &self,
        only: Option<&str>,
        rows: usize,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<Vec<(String, Preview)>, Error> {
        let wanted = self.chosen_feeds(only)?;
        let mut shown = Vec::new();
        for (name, session) in self.feed_names().into_iter().zip(self.feeds()).filter(|(name, _)| wanted.contains(name))
        {
            match session.preview(rows, observer, cancel).await {
                Ok(preview) => shown.push((name, preview)),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) if self.has_feeds() => return Err(Error::Feeds(vec![(name, error)])),
                Err(error) => return Err(error),
            }
        }
        Ok(shown)
    }

    /// The one feed of that name, in any case, or all of them.
    ///
    /// # Errors
    /// [`Error::Input`] for a feed that the pipeline does not have.
    pub fn chosen_feeds(&self, only: Option<&str>) -> Result<Vec<String>, Error> {
        let names = self.feed_names();
        let Some(only) = only else { return Ok(names) };
        let found = names.iter().find(|name| name.eq_ignore_ascii_case(only)).cloned();
        found.map(|name| vec![name]).ok_or_else(|| unknown(only, &names))
    }

    /// A session for each feed, of a backfill for those that it fills in. They share the client, the run and every moment;
    /// each has its own window, and counts its own calls.
    pub(crate) fn feeds(&self) -> Vec<Self> {
        let has_database = !self.pipeline.file.destination.grant.sql.is_empty();
        let writer = if has_database { Writer::one() } else { Writer::default() };
        let feeds = self.pipeline.feeds().into_iter().filter_map(|pipeline| self.as_it_runs(pipeline));
        feeds.map(|pipeline| self.with_feed(pipeline, &writer)).collect()
    }

    /// A feed's pipeline as this run does it; none when it does not.
    fn as_it_runs(&self, feed: Pipeline) -> Option<Pipeline> {
        if self.filling_feeds.is_empty() {
            return Some(feed);
        }
        self.filling_feeds.get(feed.feed()?)?;
        backfill::pipeline(&feed).ok()
    }

    /// The session of the feed of that name; of a pipeline without a list of them the same as it is.
    pub(crate) fn of_feed(&self, name: &str) -> Option<Self> {
        let feeds = self.pipeline.feeds().into_iter();
        let mut named = feeds.filter(|feed| !self.has_feeds() || feed.file.source.object.as_deref() == Some(name));
        named.next().map(|pipeline| self.with_feed(pipeline, &Writer::default()))
    }

    /// How the rows of the feed of that name meet those that are there: a feed may have a mode of its own.
    pub(crate) fn mode_of(&self, name: &str) -> Mode {
        self.of_feed(name).as_ref().unwrap_or(self).pipeline.file.destination.mode
    }

    /// A session in which every step of the pipeline counts, for what is asked of all feeds together.
    pub(super) fn of_all(&self) -> Option<Self> {
        let mut any = self.pipeline.feeds().into_iter().next().filter(|_| self.has_feeds())?;
        any.file.source.is_one_of_several = false;
        Some(self.with_feed(any, &Writer::default()))
    }

    /// Salesforce's clock is taken to have been read so that the window ends there, as those of the run's other feeds do.
    pub(crate) fn ends_at(&self, to: i64) {
        if let Some(incremental) = &self.pipeline.file.source.incremental {
            let _ = self.now.set(to + incremental.horizon_micros());
        }
    }

    fn with_feed(&self, pipeline: Pipeline, writer: &Writer) -> Self {
        let filling = pipeline.feed().and_then(|feed| self.filling_feeds.get(feed));
        Self {
            filling: filling.or(self.filling.as_ref()).cloned(),
            filling_feeds: BTreeMap::new(),
            client: self.client.counted_apart(),
            run_id: self.run_id.clone(),
            submitted_at: self.submitted_at,
            start: self.start.clone(),
            adopted: self.adopted.clone(),
            retry: self.retry.clone(),
            settled: self.settled.clone(),
            now: Arc::clone(&self.now),
            writer: writer.clone(),
            ..self.with_pipeline(pipeline, self.given.clone())
        }
    }

    /// The name under which the state keeps what a pipeline saw of one object: of several feeds each has its own. A
    /// pipeline's name holds no slash.
    pub(crate) fn memory_name(&self) -> String {
        let name = &self.pipeline.file.name;
        self.pipeline.feed().map_or_else(|| name.clone(), |feed| format!("{name}/{feed}"))
    }
}

fn unknown(name: &str, known: &[String]) -> Error {
    let known = known.iter().map(String::as_str);
    let meant = nearest(name, known.clone()).map_or_else(
        || format!("; there are {}", known.clone().collect::<Vec<_>>().join(", ")),
        |near| format!("; did you mean `{near}`?"),
    );
    Error::input("--feed", format!("the pipeline has no feed `{}`{meant}", name.escape_debug()))
}
