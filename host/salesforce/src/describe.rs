//! Describe: what objects and fields the user can see, cached in memory and asked for again only if changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Instant;

use http::StatusCode;
use http::header::{HeaderValue, LAST_MODIFIED};
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;

use crate::client::{Call, Client, Reply, parse_json};
use crate::error::{Error, Result};

/// What `sobjects/NAME/describe` says, as far as it matters for reading. Unknown keys are ignored.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SObjectDescribe {
    /// API name in its own spelling.
    pub name: String,
    /// Label in the user's language.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    /// First three characters of ids, where the object has ids of its own.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Custom object.
    #[serde(default, deserialize_with = "null_is_default")]
    pub custom: bool,
    /// SOQL works on it.
    #[serde(default = "yes", deserialize_with = "null_is_default")]
    pub queryable: bool,
    /// Fields that the user may see; field-level security removes the others.
    #[serde(default, deserialize_with = "null_is_default")]
    pub fields: Vec<FieldDescribe>,
}

/// One field of a describe.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDescribe {
    /// API name in its own spelling.
    pub name: String,
    /// Label in the user's language.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    /// Salesforce type, for example `multipicklist`.
    #[serde(rename = "type", default, deserialize_with = "null_is_default")]
    pub kind: String,
    /// Longest text in characters; 0 for other types.
    #[serde(default, deserialize_with = "null_is_default")]
    pub length: u32,
    /// Digits of `int` fields.
    #[serde(default, deserialize_with = "null_is_default")]
    pub digits: u32,
    /// Digits of `double`, `currency`, `percent` fields.
    #[serde(default, deserialize_with = "null_is_default")]
    pub precision: u32,
    /// Digits after the point.
    #[serde(default, deserialize_with = "null_is_default")]
    pub scale: i32,
    /// May be empty.
    #[serde(default = "yes", deserialize_with = "null_is_default")]
    pub nillable: bool,
    /// Formula or roll-up.
    #[serde(default, deserialize_with = "null_is_default")]
    pub calculated: bool,
    /// Custom field.
    #[serde(default, deserialize_with = "null_is_default")]
    pub custom: bool,
    /// Kept encrypted, and masked for users without "View Encrypted Data".
    #[serde(default, deserialize_with = "null_is_default")]
    pub encrypted: bool,
    /// Key of another system.
    #[serde(default, deserialize_with = "null_is_default")]
    pub external_id: bool,
    /// Usable in WHERE.
    #[serde(default = "yes", deserialize_with = "null_is_default")]
    pub filterable: bool,
    /// The compound field that it is a part of, for example `BillingAddress`.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// Objects that the reference may point to.
    #[serde(default, deserialize_with = "null_is_default")]
    pub reference_to: Vec<String>,
    /// Name of the parent in a dotted path, for example `Owner`.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// The parent's common fields are those of the object `Name`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name_pointing: bool,
}

/// One entry of the list of all objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SObjectSummary {
    /// API name.
    pub name: String,
    /// Label in the user's language.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    /// First three characters of ids.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Custom object.
    #[serde(default, deserialize_with = "null_is_default")]
    pub custom: bool,
    /// SOQL works on it.
    #[serde(default = "yes", deserialize_with = "null_is_default")]
    pub queryable: bool,
}

#[derive(Deserialize)]
struct GlobalAnswer {
    #[serde(default)]
    sobjects: Vec<SObjectSummary>,
}

fn yes() -> bool {
    true
}

/// `null` where a value was expected is the default value: describes are generous with nulls.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl SObjectDescribe {
    /// The field of this name; SOQL does not look at case.
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field whose parent is called `relationship` in dotted paths.
    pub fn relationship(&self, relationship: &str) -> Option<&FieldDescribe> {
        let is_it = |name: &String| name.eq_ignore_ascii_case(relationship);
        self.fields.iter().find(|field| field.relationship_name.as_ref().is_some_and(is_it))
    }

    /// Names of the parts of a compound field, for example `BillingStreet`, `BillingCity`.
    pub fn parts_of(&self, compound: &str) -> Vec<&str> {
        let is_part = |field: &&FieldDescribe| {
            field.compound_field_name.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(compound))
                && !field.name.eq_ignore_ascii_case(compound)
        };
        self.fields.iter().filter(is_part).map(|field| field.name.as_str()).collect()
    }
}

/// Describes of one client, by object name. One request an object at a time.
#[derive(Default)]
pub(crate) struct DescribeCache {
    slots: StdMutex<HashMap<String, Arc<Mutex<Option<Cached>>>>>,
}

struct Cached {
    describe: Arc<SObjectDescribe>,
    last_modified: Option<HeaderValue>,
    asked_at: Instant,
}

impl DescribeCache {
    fn slot(&self, object: &str) -> Arc<Mutex<Option<Cached>>> {
        let mut slots = self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        slots.entry(object.to_ascii_lowercase()).or_default().clone()
    }
}

impl Client {
    /// Describe of one object; cached. Errors name the nearest object when there is none of that name.
    pub async fn describe(&self, object: &str) -> Result<Arc<SObjectDescribe>> {
        match self.describe_plain(object).await {
            Err(Error::Api { status: 404, .. }) => Err(self.no_such_object(object).await),
            other => other,
        }
    }

    /// Describe without the search for similar names.
    pub(crate) async fn describe_plain(&self, object: &str) -> Result<Arc<SObjectDescribe>> {
        check_name(object)?;
        let slot = self.inner.describes.slot(object);
        let mut cached = slot.lock().await;
        if let Some(fresh) = cached.as_ref().filter(|c| c.asked_at.elapsed() < self.inner.options.describe_ttl) {
            return Ok(fresh.describe.clone());
        }
        let mut call = Call::get(format!("describe of {object}"), self.path(&format!("/sobjects/{object}/describe")));
        call.if_modified_since = cached.as_ref().and_then(|c| c.last_modified.clone());
        let reply = self.whole(&call).await?;
        let entry = match (reply.status, cached.take()) {
            (StatusCode::NOT_MODIFIED, Some(old)) => Cached { asked_at: Instant::now(), ..old },
            _ => parse_describe(&call.what, &reply)?,
        };
        Ok(cached.insert(entry).describe.clone())
    }

    /// All objects that the user can see.
    pub async fn describe_global(&self) -> Result<Vec<SObjectSummary>> {
        let answer: GlobalAnswer = self.json(&Call::get("list of objects", self.path("/sobjects"))).await?;
        Ok(answer.sobjects)
    }

    async fn no_such_object(&self, object: &str) -> Error {
        let known = match self.describe_global().await {
            // not even the list of objects: it is the version that does not exist
            Err(Error::Api { status: 404, .. }) => return self.no_such_version().await,
            known => known.unwrap_or_default(),
        };
        let others = known.iter().map(|o| o.name.as_str()).filter(|name| !name.eq_ignore_ascii_case(object));
        let near = similar(object, others);
        let hint = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        Error::query(format!(
            "object {object} does not exist in the org or the user may not see it{hint}\n  \
             hint: custom objects end in __c; object permissions are in Setup > Permission Sets > Object Settings"
        ))
    }

    async fn no_such_version(&self) -> Error {
        let newest = self.versions().await.ok().and_then(|versions| versions.last().map(|v| v.version.clone()));
        let newest = newest.map(|v| format!("; its newest is {v}")).unwrap_or_default();
        Error::config(format!("api_version {} is not offered by the org{newest}", self.api_version()))
    }
}

fn parse_describe(what: &str, reply: &Reply) -> Result<Cached> {
    Ok(Cached {
        describe: Arc::new(parse_json(what, reply)?),
        last_modified: reply.headers.get(LAST_MODIFIED).cloned(),
        asked_at: Instant::now(),
    })
}

/// An API name: it becomes part of a path.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::query(format!(
        "{name:?} is not an API name: letters, digits and _ only, for example Account or Invoice__c"
    )))
}

/// The package namespace of an API name: `acme` of `acme__Invoice__c`, none of `Invoice__c` and `Site__Latitude__s`.
#[must_use]
pub fn namespace(name: &str) -> Option<&str> {
    let is_part = name.ends_with("__Latitude__s") || name.ends_with("__Longitude__s");
    let after_namespace = if is_part { 3 } else { 2 };
    let (first, rest) = name.split_once("__")?;
    (rest.split("__").count() >= after_namespace && !first.is_empty()).then_some(first)
}

/// The name that was meant: the same one in a package's namespace (`ns__X__c` for `X__c`), or the most similar.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let suffix = format!("__{name}").to_ascii_lowercase();
    let packaged = known.clone().find(|other| name.contains("__") && other.to_ascii_lowercase().ends_with(&suffix));
    packaged.or_else(|| nearest(name, known))
}

/// The most similar name, if any is similar enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&lower, &other.to_ascii_lowercase());
    let (best, off) = known.map(|other| (other, distance(other))).min_by_key(|(_, off)| *off)?;
    (off <= (name.len() / 3).clamp(1, 4)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings/derived");

    /// Reads recorded describes; passes over them where `../shared` is not at hand.
    #[test]
    fn recorded_describes_are_read() {
        let Ok(folder) = std::fs::read_dir(RECORDINGS) else {
            return;
        };
        let mut count = 0;
        for file in folder.map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            if file.ends_with("Global.describe.json") {
                let all: GlobalAnswer = serde_json::from_str(&text).unwrap();
                assert!(all.sobjects.iter().any(|o| o.name == "Account" && o.key_prefix.as_deref() == Some("001")));
                continue;
            }
            let describe: SObjectDescribe = serde_json::from_str(&text).unwrap();
            assert!(describe.field("id").is_some_and(|f| f.kind == "id" && !f.nillable), "{}", file.display());
            count += 1;
        }
        assert!(count >= 9, "{count}");
    }

    #[test]
    fn recorded_account_has_parts_and_parents() {
        let Ok(text) = std::fs::read_to_string(format!("{RECORDINGS}/Account.describe.json")) else {
            return;
        };
        let account: SObjectDescribe = serde_json::from_str(&text).unwrap();
        assert_eq!(account.fields.len(), 68);
        assert!(account.parts_of("BillingAddress").contains(&"BillingCity"));
        assert_eq!(account.relationship("owner").unwrap().reference_to, ["User"]);
    }

    #[test]
    fn missing_keys_and_nulls_are_taken() {
        let text = r#"{"name":"X","label":null,"fields":[{"name":"Id","type":null,"referenceTo":null,"new":[1]}]}"#;
        let describe: SObjectDescribe = serde_json::from_str(text).unwrap();
        assert!(describe.queryable && describe.fields[0].nillable);
    }

    #[test]
    fn slips_are_found_and_others_are_not() {
        let known = ["Account", "Contact", "Opportunity"];
        assert_eq!(nearest("acount", known.into_iter()), Some("Account"));
        assert_eq!(nearest("Invoice__c", known.into_iter()), None);
    }

    #[test]
    fn namespaces_are_told_from_the_ends_of_names() {
        let table = [
            ("acme__Invoice__c", Some("acme")),
            ("acme__Site__Latitude__s", Some("acme")),
            ("acme__Note__pc", Some("acme")),
            ("Invoice__c", None),
            ("Site__Longitude__s", None),
            ("Account", None),
            ("__c", None),
        ];
        table.iter().for_each(|(name, expected)| assert_eq!(namespace(name), *expected, "{name}"));
    }

    #[test]
    fn a_name_without_its_namespace_is_found() {
        let known = ["Invoice__c", "acme__Budget__c", "Budget__x"];
        assert_eq!(similar("budget__c", known.into_iter()), Some("acme__Budget__c"));
        assert_eq!(similar("Invoce__c", known.into_iter()), Some("Invoice__c"));
        assert_eq!(similar("c", known.into_iter()), None);
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for bad in ["", "../x", "Account/describe", "1x", "Account?x"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("ns__Invoice__c").is_ok());
    }
}
