//! Links of `resultPages` answers, in every shape that was published.

use reqwest::Url;
use serde::Deserialize;

/// The answer in any of the three published shapes: guide (`resultPages`/`resultUrl`), Salesforce's own Postman
/// collection (`resultPages`/`resultLink`), observed orgs (`resultChunks`/`resultLink`).
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(rename = "resultPages", alias = "resultChunks")]
    pages: Vec<Link>,
    #[serde(default, rename = "nextRecordsUrl", alias = "nextRecordUrl")]
    next: Option<String>,
    #[serde(default)]
    done: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Link {
    #[serde(rename = "resultUrl", alias = "resultLink")]
    link: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageList {
    pub(super) pages: Vec<ListedPage>,
    /// Parameters of the next list.
    pub(super) next: Option<Vec<(&'static str, String)>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedPage {
    pub(super) locator: Option<String>,
    pub(super) max_records: Option<u64>,
}

impl Answer {
    pub(super) fn read(self, job_id: &str) -> Result<PageList, String> {
        let pages = self.pages.iter().map(|page| listed_page(&page.link, job_id)).collect::<Result<_, _>>()?;
        let next = self.next.as_deref().filter(|text| !text.is_empty() && *text != "null");
        let next = next.map(|link| link_query(link, job_id, "resultpages")).transpose()?;
        if self.done == Some(false) && next.is_none() {
            return Err("more pages are promised (done is false) without a way to them".into());
        }
        Ok(PageList { pages, next })
    }
}

fn listed_page(link: &str, job_id: &str) -> Result<ListedPage, String> {
    let query = link_query(link, job_id, "results")?;
    let value = |name: &str| query.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    Ok(ListedPage { locator: value("locator"), max_records: value("maxRecords").and_then(|text| text.parse().ok()) })
}

/// Takes the parameters out of a link in any form: absolute, from the root, from the version, with doubled slashes.
/// The path is built anew, so that only the job's own resources are ever asked.
fn link_query(link: &str, job_id: &str, resource: &str) -> Result<Vec<(&'static str, String)>, String> {
    let bad = || format!("the link {link:?} is not one to the {resource} of job {job_id}");
    let base = Url::parse("https://instance.invalid/").map_err(|_| bad())?;
    let relative = link.trim_start_matches('/');
    let url = base.join(relative).map_err(|_| bad())?;
    let mut segments = url.path_segments().ok_or_else(bad)?.filter(|segment| !segment.is_empty()).rev();
    let last = segments.next().unwrap_or_default();
    let id = segments.next().unwrap_or_default();
    // ids compare by their 15 characters: the other 3 are a checksum
    let same_id = id.len() >= 15 && job_id.len() >= 15 && id.as_bytes()[..15] == job_id.as_bytes()[..15];
    if !last.eq_ignore_ascii_case(resource) || !same_id {
        return Err(bad());
    }
    let known = |name: &str| ["locator", "maxRecords"].into_iter().find(|key| key.eq_ignore_ascii_case(name));
    Ok(url.query_pairs().filter_map(|(name, value)| Some((known(&name)?, value.into_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "750R0000000zxr8IAA";

    fn read(text: &str) -> Result<PageList, String> {
        serde_json::from_str::<Answer>(text).map_err(|e| e.to_string())?.read(ID)
    }

    #[test]
    fn all_published_shapes() {
        let long = format!("/services/data/v62.0/jobs/query/{ID}");
        let short = format!("/jobs/query/{ID}");
        let table = [
            format!(
                r#"{{"resultPages":[{{"resultUrl":"{long}/results?locator=abc"}}],"nextRecordsUrl":"{long}/resultpages?locator=xyz","done":false}}"#
            ),
            format!(
                r#"{{"resultPages":[{{"resultUrl":"{long}/results?locator=abc"}}],"nextRecordUrl":"{long}/resultPages?locator=xyz","done":false}}"#
            ),
            format!(
                r#"{{"resultPages":[{{"resultLink":"{short}/results?locator=abc"}}],"nextRecordsUrl":"{short}/resultPages?locator=xyz"}}"#
            ),
            format!(
                r#"{{"resultChunks":[{{"resultLink":"{short}/results?locator=abc"}}],"nextRecordsUrl":"{short}/resultpages?locator=xyz"}}"#
            ),
            format!(
                r#"{{"resultChunks":[{{"resultLink":"https://a.my.salesforce.com{long}/results?locator=abc"}}],"nextRecordsUrl":"/{long}/resultpages?locator=xyz"}}"#
            ),
        ];
        for text in table {
            let list = read(&text).unwrap();
            assert_eq!(list.pages, [ListedPage { locator: Some("abc".into()), max_records: None }], "{text}");
            assert_eq!(list.next, Some(vec![("locator", "xyz".to_owned())]), "{text}");
        }
    }

    #[test]
    fn last_lists_and_foreign_links() {
        let list = read(r#"{"resultChunks":[],"nextRecordsUrl":null,"done":true}"#).unwrap();
        assert_eq!(list, PageList { pages: vec![], next: None });
        assert!(
            read(r#"{"resultPages":[{"resultUrl":"/jobs/query/750R0000000OTHERIAA/results?locator=a"}]}"#).is_err()
        );
        assert!(read(r#"{"resultPages":[],"done":false}"#).is_err());
        assert!(read(r#"{"records":[]}"#).is_err());
    }

    #[test]
    fn locator_is_decoded_once() {
        let page = listed_page(&format!("/jobs/query/{ID}/results?locator=a%3D%2Bb&maxRecords=50"), ID).unwrap();
        assert_eq!(page, ListedPage { locator: Some("a=+b".into()), max_records: Some(50) });
    }

    proptest! {
        #[test]
        fn never_panics(link in ".{0,80}") {
            let _ = link_query(&link, ID, "results");
            let _ = link_query(&format!("/jobs/query/{ID}/{link}"), ID, "results");
        }
    }
}
