//! The page that the browser ends at. It repeats nothing of the request.

/// What the person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// A code came.
    Done,
    /// An error came.
    Refused,
    /// A redirect of another login, or none at all.
    Stray,
    NotFound,
}

impl Page {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Done | Self::Refused => 200,
            Self::Stray => 400,
            Self::NotFound => 404,
        }
    }

    pub(super) fn html(self) -> String {
        let (id, title, text) = match self {
            Self::Done => ("done", "Salesforce has answered", "Go back to Forcepump; this window can be closed."),
            Self::Refused => ("refused", "Salesforce has refused", "Forcepump says why; this window can be closed."),
            Self::Stray => ("stray", "Not of this login", "Open the page again that Forcepump has shown last."),
            Self::NotFound => {
                ("nothing", "Nothing here", "Forcepump waits for Salesforce's answer at another address.")
            }
        };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:1.1em sans-serif;margin:15vh auto;max-width:30em;padding:0 1em}}</style></head>\
             <body id=\"{id}\"><h1>{title}</h1><p>{text}</p></body></html>\n"
        )
    }
}
