//! What Salesforce's errors mean to a person: a sentence, the probable cause, and the way out with the admin's clicks.
//!
//! One list for each place that errors come from: [`oauth`] (token endpoint, redirects, login pages), [`soap`] (the SOAP
//! login), [`api`] (REST, Bulk API 2.0 and 1.0), [`jobs`] (the reason of a job that failed) and [`network`] (no
//! answer at all). Codes and texts are those of
//! the guides and of recorded answers; Salesforce's own code and text are always told beside these words.
//!
//! The names of permissions, policies and pages (Login History, API Access Control, "Use Any API Client", "Approve
//! Uninstalled Connected Apps") are Salesforce's. The ways through Setup are those of Lightning Experience as its help
//! pages and admins give them; no published list has them, and menus move between releases: the last name of a way is what
//! Setup's Quick Find finds.

pub(crate) mod api;
mod api_table;
mod door_table;
pub(crate) mod jobs;
pub(crate) mod network;
pub(crate) mod oauth;
mod oauth_table;
pub(crate) mod soap;
mod soap_table;
pub(crate) mod status;
#[cfg(test)]
mod tests;

use crate::error::same_code;

/// Said of what no list knows.
const UNKNOWN: Words = Words {
    code: "",
    part: "",
    what: "not an error that forcepump knows; the text is Salesforce's",
    cause: "",
    way_out: "look the code up in Salesforce Help, and in Setup > Login History when it comes from a login",
};

/// One known error. The first entry of a list that fits counts, so that narrow ones stand before wide ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// As Salesforce writes it, underscores and case aside; empty: any; `*` at the end: any that begins so.
    code: &'static str,
    /// A part of Salesforce's text, in lower case; empty: any.
    part: &'static str,
    /// What it is, in a sentence.
    pub(crate) what: &'static str,
    /// Why it is probably so; empty where the sentence says it.
    pub(crate) cause: &'static str,
    /// What to do, with the way through Setup.
    pub(crate) way_out: &'static str,
}

/// Shorter than the fields' names in a long list.
const fn entry(
    code: &'static str,
    part: &'static str,
    what: &'static str,
    cause: &'static str,
    way_out: &'static str,
) -> Words {
    Words { code, part, what, cause, way_out }
}

/// The first entry whose code and text fit, whatever the case.
fn find(list: &'static [Words], code: &str, text: &str) -> Option<&'static Words> {
    let text = text.to_lowercase();
    list.iter().find(|known| fits(known.code, code) && text.contains(known.part))
}

fn fits(known: &str, code: &str) -> bool {
    match known.strip_suffix('*') {
        Some(start) => code.replace('_', "").to_uppercase().starts_with(&start.replace('_', "")),
        None => known.is_empty() || same_code(known, code),
    }
}

impl Words {
    /// The lines below Salesforce's own text: sentence and cause, then the way out with what `more` adds to it.
    pub(crate) fn lines(&self, more: &str) -> String {
        let cause = if self.cause.is_empty() { String::new() } else { format!("; {}", self.cause) };
        format!("\n  {}{cause}\n  hint: {}{more}", self.what, self.way_out)
    }
}
