//! What can end a plan or a run, by who has to act: the operator, the source, the destination, a plugin's author.

use crate::file::{FileError, Problem};

/// Who has to act on an error; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// the pipeline file, the connections file or a plugin's configuration
    Input,
    /// Salesforce, or the way to it
    Source,
    /// the destination refused or is out of reach
    Destination,
    /// a plugin broke: trap, time-out, memory, contract
    Plugin,
    /// the operator interrupted
    Interrupted,
    /// this machine: disk, permissions
    Host,
}

impl ErrorClass {
    /// The word used in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Plugin => "plugin",
            Self::Interrupted => "interrupted",
            Self::Host => "host",
        }
    }
}

/// Why a pipeline cannot be planned, or why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipeline or connections file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The parts do not fit together; each fault with its key.
    #[error("the pipeline cannot be used:{}", .0.iter().map(|p| format!("\n  {}: {}", p.key, p.message)).collect::<String>())]
    Input(Vec<Problem>),
    /// Another process runs the pipeline.
    #[error(
        "the pipeline `{pipeline}` is being run by another process, which holds {}\nhint: wait for its end; two runs at once would write the same rows twice", lock.display()
    )]
    Busy {
        /// name of the pipeline
        pipeline: String,
        /// the file that it has locked
        lock: std::path::PathBuf,
    },
    /// No run of that id refused a row.
    #[error("{0}")]
    NoSuchRun(String),
    /// Salesforce, or the way to it.
    #[error("{0}")]
    Source(Box<forcepump_salesforce::Error>),
    /// An API refused what another one may give.
    #[error("{text}")]
    Refused {
        /// what Salesforce said
        error: Box<forcepump_salesforce::Error>,
        /// the same with the way out
        text: String,
    },
    /// A field that the query names, and that the last whole run could see.
    #[error(
        "{message}\n{field} ({kind}) was there on {since}: since then it was deleted, or field-level security hides it from the user\nhint: give the user access to the field in Setup > Permission Sets > Object Settings, or take it out of the query"
    )]
    FieldGone {
        /// object and field
        field: String,
        /// its type at that run
        kind: String,
        /// day of the last whole run
        since: String,
        /// which path of the query
        message: String,
    },
    /// The source's data contradicts itself: counts, headers, a truncated page.
    #[error("{0}")]
    SourceData(String),
    /// The destination refused, or is out of reach.
    #[error("destination `{plugin}` failed in {call}: {message}")]
    Destination {
        /// the plugin
        plugin: String,
        /// the call
        call: &'static str,
        /// the plugin's or the target's own words
        message: String,
    },
    /// The place that a destination is granted cannot be opened.
    #[error("{key}: {message}")]
    Place {
        /// the grant, for example `destination.grant.files.out`
        key: String,
        /// the place, and what the operating system said
        message: String,
    },
    /// A plugin broke.
    #[error("plugin `{plugin}` failed in {call}: {message}")]
    Plugin {
        /// the plugin
        plugin: String,
        /// the call
        call: &'static str,
        /// what happened
        message: String,
    },
    /// More rows were rejected than the pipeline allows.
    #[error(
        "{rejected} of the {read} rows read so far were rejected, more than max_rejects = {limit} allows; what is committed stays\nhint: the reasons are in {file}; mend the data or the plugin, or raise max_rejects"
    )]
    TooManyRejects {
        /// rows rejected, those of the unit that was given up for it included
        rejected: u64,
        /// rows read, those of that unit included
        read: u64,
        /// as the pipeline file has it
        limit: String,
        /// the rejects file
        file: String,
        /// who refused the most of them
        class: ErrorClass,
    },
    /// The counts of a whole run contradict each other: going on with it cannot mend that.
    #[error("{0}")]
    NotWhole(String),
    /// An unfinished run cannot go on, and a new one would write rows twice or is not what was asked for.
    #[error("{0}")]
    CannotGoOn(String),
    /// An unfinished run cannot go on, and nothing speaks against a new one.
    #[error("{0}")]
    StartAnew(String),
    /// Feeds of a pipeline of several.
    #[error("{}", .0.iter().map(|(feed, error)| format!("feed `{feed}`: {error}")).collect::<Vec<_>>().join("\n"))]
    Feeds(Vec<(String, Error)>),
    /// The operator interrupted.
    #[error("interrupted; nothing half-written is visible")]
    Interrupted,
    /// This machine.
    #[error("{what}: {error}")]
    Host {
        /// what was tried, with the path
        what: String,
        /// what the operating system said
        error: std::io::Error,
    },
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::File(FileError::Write { .. }) => ErrorClass::Host,
            Self::File(_) | Self::Input(_) | Self::NoSuchRun(_) | Self::Busy { .. } | Self::CannotGoOn(_) => {
                ErrorClass::Input
            }
            Self::Source(error) | Self::Refused { error, .. } if crate::source::is_input_fault(error) => {
                ErrorClass::Input
            }
            Self::Source(_)
            | Self::Refused { .. }
            | Self::SourceData(_)
            | Self::NotWhole(_)
            | Self::StartAnew(_)
            | Self::FieldGone { .. } => ErrorClass::Source,
            Self::Destination { .. } | Self::Place { .. } => ErrorClass::Destination,
            Self::Plugin { .. } => ErrorClass::Plugin,
            Self::TooManyRejects { class, .. } => *class,
            Self::Interrupted => ErrorClass::Interrupted,
            Self::Feeds(feeds) => feeds.first().map_or(ErrorClass::Host, |(_, error)| error.class()),
            Self::Host { .. } => ErrorClass::Host,
        }
    }

    /// Whether nothing that is done again could mend it: the run is over.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self, Self::NotWhole(_))
    }

    /// Whether the same may succeed later, of itself: an interruption, or a fault on the way to Salesforce.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Source(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether Salesforce does not have the job any more, or the cursor.
    pub(crate) fn is_lost_job(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_lost())
    }

    /// What a plugin or a destination failed with, under a sentence of ours.
    pub(crate) fn explained(mut self, sentence: &str) -> Self {
        if let Self::Plugin { message, .. } | Self::Destination { message, .. } = &mut self {
            *message = format!("{sentence}: {message}");
        }
        self
    }

    /// What a plugin or a destination failed with, and the way out.
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        if let Self::Plugin { message, .. } | Self::Destination { message, .. } = &mut self {
            *message = format!("{message}\nhint: {hint}");
        }
        self
    }

    pub(crate) fn input(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Input(vec![Problem::new(key, message)])
    }
}

impl From<forcepump_salesforce::Error> for Error {
    fn from(error: forcepump_salesforce::Error) -> Self {
        Self::Source(Box::new(error))
    }
}
