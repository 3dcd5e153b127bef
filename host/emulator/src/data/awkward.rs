//! Values that break tools: what they are, and the records of `Awkward__c` that hold them.

use super::ids;
use super::load::Draft;
use super::schema::FieldDef;
use super::value;

/// Longest text that a field can hold (SOAP API guide, "textarea").
const LONGEST_TEXT_CHARS: usize = 131_072;
/// Of this many rounds through [`TEXTS`] in a long text field, one value is as long as the field allows.
pub const TEXTS_PER_LONGEST: usize = 40;

/// Texts that tools take for something else, split, or lose.
pub const TEXTS: [&str; 40] = [
    "say \"hello\"",
    "\"",
    "\"\"",
    "a,b",
    ",",
    "line one\nline two",
    "line one\r\nline two",
    "carriage\rreturn",
    "\u{a0}no-break\u{a0}space\u{200b}",
    "\"quoted, with comma\"\nand newline",
    "tab\there",
    "naïve café",
    "Straße",
    "日本語のテキスト",
    "한국어",
    "عربى",
    "עברית",
    "😀",
    "👩‍👩‍👧‍👦",
    "e\u{301} combining",
    "#N/A",
    "N/A",
    "NA",
    "null",
    "NULL",
    "None",
    "nan",
    "true",
    "0012",
    "1E5",
    "=1+1",
    "-",
    "\\N",
    "C:\\temp\\new",
    "a;b|c^d`e",
    "<b>bold</b>",
    "separator\u{2028}line",
    "nul\0byte",
    "\u{feff}bom",
    "it's",
];

/// Decimals at the edges of what a double shows plainly, or holds at all.
pub const NUMBERS: [&str; 24] = [
    "0",
    "-1",
    "9999999",
    "9999999.99",
    "10000000",
    "12345678",
    "90000000",
    "16147805824397",
    "999999999999999999",
    "123456789012345678",
    "9999999999999999.99",
    "0.01",
    "0.001",
    "0.0001",
    "0.000001",
    "-0.0009",
    "100.5",
    "1234567.89",
    "-9999999999",
    "0.123456789012345",
    "37.774929500000001",
    "3",
    "50",
    "99.99",
];

/// Dates before 1970 and at the ends of what Salesforce takes.
pub const DATES: [&str; 6] = ["1700-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "2038-01-19", "4000-12-31"];

/// Datetimes before 1970 and at the ends of what Salesforce takes.
pub const MOMENTS: [&str; 6] = [
    "1700-01-01T00:00:00.000Z",
    "1969-12-31T23:59:59.000Z",
    "1970-01-01T00:00:00.000Z",
    "2000-02-29T12:00:00.000Z",
    "2038-01-19T03:14:08.000Z",
    "4000-12-31T00:00:00.000Z",
];

/// A text of that many characters, with quotes, newlines and characters of several bytes in it.
pub fn long_text(chars: usize) -> String {
    "The \"long\" text, line after line\nof it — ünd so weiter 😀. ".chars().cycle().take(chars).collect()
}

/// The records of `Awkward__c`: each says in `Case__c` what is awkward about it.
pub fn records(draft: &mut Draft, field: impl Fn(&str) -> Option<FieldDef>) {
    let fits = |name: &str, text: &str| {
        field(name).is_some_and(|field| value::canonical(&field, text).is_ok_and(|held| held == text))
    };
    let keep = |cells: Vec<(&'static str, &str)>, draft: &mut Draft| {
        let cells: Vec<_> = cells.into_iter().filter(|(name, text)| fits(name, text)).collect();
        push(draft, &cells);
    };
    for text in TEXTS {
        keep(
            vec![
                ("Case__c", "text"),
                ("Text__c", text),
                ("Area__c", text),
                ("Long__c", text),
                ("Rich__c", text),
                ("Secret__c", text),
                ("Phone__c", text),
                ("Link__c", text),
            ],
            draft,
        );
    }
    for number in NUMBERS {
        keep(
            vec![
                ("Case__c", "number"),
                ("Whole__c", number),
                ("Fraction__c", number),
                ("Tiny__c", number),
                ("Money__c", number),
                ("Percent__c", number),
                ("Wide_Number__c", number),
            ],
            draft,
        );
    }
    for (date, moment) in DATES.into_iter().zip(MOMENTS) {
        let year = date.get(..4).unwrap_or("0").trim_start_matches('0');
        keep(
            vec![
                ("Case__c", "date"),
                ("Day__c", date),
                ("Moment__c", moment),
                ("Clock__c", "23:59:59.999Z"),
                ("Int__c", year),
            ],
            draft,
        );
    }
    let long = long_text(LONGEST_TEXT_CHARS);
    keep(vec![("Case__c", "longest text"), ("Long__c", &long)], draft);
    let html = "<p>A &amp; B<br>\"quoted\", <b>bold</b></p>";
    keep(vec![("Case__c", "rich text"), ("Rich__c", html)], draft);
    for many in ["A;B", "D, with comma", "A;C;E \"quoted\""] {
        keep(
            vec![
                ("Case__c", "lists"),
                ("Pick__c", "Mango, ripe"),
                ("Many__c", many),
                ("Combo__c", "neither"),
                ("Clock__c", "00:00:00.000Z"),
            ],
            draft,
        );
    }
    for key in ["case", "CASE", "Case"] {
        keep(vec![("Case__c", "case-sensitive key"), ("CaseSensitive__c", key), ("Flag__c", "true")], draft);
    }
    related(draft);
}

/// Parents, missing parents, a place, a body, and a record of nothing.
fn related(draft: &mut Draft) {
    let id = |prefix: &[u8; 3], row: u64| String::from_utf8_lossy(&ids::of_row(*prefix, row)).into_owned();
    let mut parent = id(b"a02", 0);
    for level in ["1", "2", "3", "4", "5", "6"] {
        let own = id(b"a02", draft.rows());
        push(
            draft,
            &[("Case__c", "parents"), ("Text__c", level), ("Parent__c", &parent), ("Account__c", &id(b"001", 0))],
        );
        parent = own;
    }
    push(draft, &[("Case__c", "no parent"), ("Text__c", "both references are null")]);
    push(
        draft,
        &[
            ("Case__c", "place"),
            ("Place__Latitude__s", "37.774929500000001"),
            ("Place__Longitude__s", "-122.419415500000000"),
        ],
    );
    push(
        draft,
        &[
            ("Case__c", "body"),
            ("Body__c", "Rm9yY2VwdW1w"),
            ("Mail__c", "odd+address@example.com"),
            ("Formula__c", "A & \"B\""),
            ("Topic__c", "Topics"),
        ],
    );
    push(draft, &[]);
}

fn push(draft: &mut Draft, cells: &[(&str, &str)]) {
    let number = draft.rows() + 1;
    let (name, key) = (format!("A-{number:05}"), format!("AWK-{number}"));
    let mut cells = cells.to_vec();
    if !cells.is_empty() {
        cells.push(("Ext_Id__c", &key));
    }
    cells.push(("Name", &name));
    draft.push(&cells);
}
