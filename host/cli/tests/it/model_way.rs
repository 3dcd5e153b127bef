//! What is drawn for a game of changing sources: the org, and the pipeline that reads it.

use chrono::{SecondsFormat, TimeDelta, Utc};
use forcepump_emulator::Options;
use forcepump_emulator::data::QueryMode;
use forcepump_emulator::options::ResultPagesShape;
use serde_json::{Map, Value, json};

use crate::dice::Dice;
use crate::harness::Org;
use crate::held;

/// Rows of each object at the beginning, a minute apart.
const FIRST_ROWS: u64 = 45;
/// The age of the first of them.
const FIRST_AGO_MINUTES: i64 = 120;

/// An object of a game.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// its API name
    pub object: &'static str,
    /// what is read of it, the id first
    pub columns: &'static [&'static str],
    /// a text that is always there
    text: &'static str,
    /// a field that may be empty, and whether it is a number
    other: (&'static str, bool),
}

static ACCOUNT: Kind = Kind {
    object: "Account",
    columns: &["Id", "Name", "AnnualRevenue", "IsDeleted", "SystemModstamp"],
    text: "Name",
    other: ("AnnualRevenue", true),
};
static CONTACT: Kind = Kind {
    object: "Contact",
    columns: &["Id", "LastName", "Title", "IsDeleted", "SystemModstamp"],
    text: "LastName",
    other: ("Title", false),
};
static ONE: [&Kind; 1] = [&ACCOUNT];
static BOTH: [&Kind; 2] = [&ACCOUNT, &CONTACT];

impl Kind {
    /// The table that its rows go into.
    pub fn table(&self) -> String {
        format!("sf_{}", self.object)
    }

    /// All of its rows.
    pub fn everything(&self) -> String {
        format!("SELECT {} FROM {}", self.columns.join(", "), self.object)
    }

    /// New values.
    pub fn fields(&self, dice: &mut Dice) -> Map<String, Value> {
        let number = dice.below(1_000_000);
        let name = dice.of(&["plain", "\"quoted\", and more", "Müller ≤ 😀", "two\nlines"]);
        let other = match self.other.1 {
            true => json!(number),
            false => json!(format!("{number}th")),
        };
        let other = if dice.one_in(4) { Value::Null } else { other };
        Map::from_iter([(self.text.to_owned(), json!(format!("{name} {number}"))), (self.other.0.to_owned(), other)])
    }

    /// Values of a record that is new; `number` is one that no other has.
    pub fn new_fields(&self, dice: &mut Dice, number: usize) -> Map<String, Value> {
        let mut fields = self.fields(dice);
        fields.insert("Ext_Id__c".to_owned(), format!("N-{number}").into());
        fields
    }

    fn first_rows(&self) -> String {
        let begin = Utc::now() - TimeDelta::minutes(FIRST_AGO_MINUTES);
        let stamp = |row: u64| (begin + TimeDelta::minutes(row as i64)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let row = |row| format!("{}-{row},\"First, {row}\",{}\n", self.object, stamp(row));
        format!("Ext_Id__c,{},SystemModstamp\n{}", self.text, (0..FIRST_ROWS).map(row).collect::<String>())
    }
}

/// How deleted rows come to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// The query reads them too.
    All,
    /// As rows with a flag.
    Flag,
    /// They go.
    Delete,
}

impl Deletes {
    /// The rows that the table is to have in the end.
    pub fn mode(self) -> QueryMode {
        if self == Self::Delete { QueryMode::Bulk2 } else { QueryMode::Bulk2All }
    }

    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("action = \"query-all\"\n", ""),
            Self::Flag => ("", "deletes = \"flag\"\n"),
            Self::Delete => ("", "deletes = \"delete\"\n"),
        }
    }
}

/// How a game's pipeline reads.
#[derive(Debug)]
pub struct Way {
    /// the objects
    pub kinds: &'static [&'static Kind],
    /// what becomes of deleted rows
    pub deletes: Deletes,
    api: &'static str,
    slice: Option<&'static str>,
    /// rows beyond which the org gives a query up
    most_rows: Option<u64>,
}

impl Way {
    /// Any of them.
    pub fn drawn(dice: &mut Dice) -> Self {
        Self {
            api: dice.of(&["bulk2", "bulk2", "bulk2", "bulk1", "rest", "auto"]),
            deletes: dice.of(&[Deletes::All, Deletes::Flag, Deletes::Delete, Deletes::Delete]),
            kinds: if dice.one_in(2) { &BOTH } else { &ONE },
            slice: dice.of(&[None, None, Some("25m"), Some("2h"), Some("400d")]),
            most_rows: dice.of(&[None, None, Some(40), Some(15)]),
        }
    }

    /// The org at the beginning.
    pub fn org(&self, dice: &mut Dice) -> Org {
        let folder = tempfile::tempdir().expect("a folder");
        for kind in self.kinds {
            std::fs::write(folder.path().join(format!("{}.csv", kind.object)), kind.first_rows()).expect("a file");
        }
        Org::with(Options {
            data: Some(folder.path().to_owned()),
            page_size: 3 + dice.below(12),
            result_pages: dice.of(&[ResultPagesShape::Guide, ResultPagesShape::NotFound]),
            query_timeout_rows: self.most_rows,
            ..Options::default()
        })
    }

    /// The pipeline file.
    pub fn pipeline(&self) -> String {
        let fields = |kind: &Kind| kind.columns.iter().map(|name| format!("\"{name}\", ")).collect::<String>();
        let (action, deletes) = self.deletes.keys();
        let slice = self.slice.map(|length| format!("slice = \"{length}\"\n")).unwrap_or_default();
        let feed =
            |kind: &&Kind| format!("[[source.feeds]]\nobject = \"{}\"\nfields = [{}]\n", kind.object, fields(kind));
        let (object, feeds) = match self.kinds {
            [one] => (format!("object = \"{}\"\nfields = [{}]\n", one.object, fields(one)), String::new()),
            several => (String::new(), several.iter().map(feed).collect()),
        };
        let table = match self.kinds {
            [one] => one.table(),
            _ => "sf_{object}".to_owned(),
        };
        format!(
            "name = \"model\"\n[source]\nconnection = \"org\"\n{object}api = \"{}\"\n{action}\
             [source.incremental]\n{deletes}{slice}{feeds}[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\n\
             config = {{ table = \"{table}\" }}\n[destination.grant]\nsql = {{ db = \"sqlite:{}\" }}\n",
            self.api,
            held::DATABASE
        )
    }
}
