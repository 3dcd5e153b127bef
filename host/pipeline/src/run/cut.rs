//! What a slice of a pass holds, and how it is halved: rows of a stretch of time, or of a range of ids.
//!
//! Slices of time are for incremental feeds, whose window ends before now: a row that changes meanwhile leaves the window
//! and comes with the next run. Other feeds are cut by ids, which never change: cut by a time, a row that changes while
//! the slices are read could leave one that is not read yet for one that was.

use forcepump_salesforce::{Select, middle_id};
use serde::{Deserialize, Serialize};

use crate::incremental::moment;

/// The shortest slice of time; a Salesforce moment tells no less.
pub(super) const SHORTEST_MICROS: i64 = 1_000_000;

/// What a slice holds. The first bound belongs to it, the second does not; none: open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum Cut {
    /// by a datetime field; microseconds since the epoch
    Time { field: String, from: Option<i64>, to: i64 },
    /// by the id, 15 characters
    Ids { from: Option<String>, to: Option<String> },
}

impl Cut {
    /// The condition in SOQL; none when everything is in it.
    pub(super) fn condition(&self, select: &Select) -> Option<String> {
        let parts: Vec<String> = match self {
            Self::Time { field, from, to } => {
                let field = select.qualified(field);
                let from = from.map(|from| format!("{field} >= {}", moment(from)));
                from.into_iter().chain([format!("{field} < {}", moment(*to))]).collect()
            }
            Self::Ids { from, to } => {
                let id = select.qualified("Id");
                let from = from.as_ref().map(|from| format!("{id} >= '{from}'"));
                from.into_iter().chain(to.as_ref().map(|to| format!("{id} < '{to}'"))).collect()
            }
        };
        (!parts.is_empty()).then(|| parts.join(" AND "))
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let bounds = match self {
            Self::Time { from, to, .. } => (from.map(moment), Some(moment(*to))),
            Self::Ids { from, to } => (from.clone(), to.clone()),
        };
        match bounds {
            (Some(from), Some(to)) => format!("from {from} to {to}"),
            (Some(from), None) => format!("from {from} on"),
            (None, Some(to)) => format!("up to {to}"),
            (None, None) => "everything".to_owned(),
        }
    }

    /// Slices of a stretch of time, each `length` microseconds but the last. `oldest`: where rows begin.
    pub(super) fn slices(field: &str, (from, to): (Option<i64>, i64), oldest: i64, length: i64) -> Vec<Self> {
        let mut bounds: Vec<Option<i64>> = vec![from];
        let mut next = from.unwrap_or(oldest).saturating_add(length);
        while next < to {
            bounds.push(Some(next));
            next = next.saturating_add(length);
        }
        let ends = bounds.iter().skip(1).copied().flatten().chain([to]);
        let slice = |(from, to): (&Option<i64>, i64)| Self::Time { field: field.to_owned(), from: *from, to };
        bounds.iter().zip(ends).map(slice).collect()
    }

    /// Two halves of a slice of time; `oldest`: where rows begin. None when it is too short.
    pub(super) fn halved_by_time(field: &str, (from, to): (Option<i64>, i64), oldest: i64) -> Option<[Self; 2]> {
        let begin = from.map_or(oldest, |from| from.max(oldest));
        let middle = begin + (to - begin) / 2;
        let middle = middle - middle.rem_euclid(SHORTEST_MICROS);
        let middle = if middle > begin { middle } else { begin - begin.rem_euclid(SHORTEST_MICROS) + SHORTEST_MICROS };
        let half = |from, to| Self::Time { field: field.to_owned(), from, to };
        (middle < to).then(|| [half(from, middle), half(Some(middle), to)])
    }

    /// Two halves of a range of ids, whose first and last row have these. None when they are one row.
    pub(super) fn halved_by_ids(bounds: (Option<&str>, Option<&str>), rows: (&str, &str)) -> Option<[Self; 2]> {
        let middle = middle_id(rows.0, rows.1)?;
        let (from, to) = (bounds.0.map(str::to_owned), bounds.1.map(str::to_owned));
        Some([Self::Ids { from, to: Some(middle.clone()) }, Self::Ids { from: Some(middle), to }])
    }
}

/// The names of the slices of a pass: `s0`, `s1`, … of the main one, `d.0`, … of another, `s1.0` of a slice.
pub(super) fn name_of(pass: &str, number: usize) -> String {
    if pass.is_empty() { format!("s{number}") } else { format!("{pass}.{number}") }
}

/// Slices in the order in which they are read.
pub(super) fn place_of(name: &str) -> Vec<u64> {
    name.split('.').map(|part| part.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn bounds(cut: &Cut) -> (Option<i64>, i64) {
        match cut {
            Cut::Time { from, to, .. } => (from.map(|from| from / SECOND), to / SECOND),
            Cut::Ids { .. } => panic!("a slice of time"),
        }
    }

    #[test]
    fn slices_follow_each_other_without_a_gap() {
        let slices = |from: Option<i64>, to: i64, oldest: i64| -> Vec<_> {
            let from = from.map(|from| from * SECOND);
            Cut::slices("At", (from, to * SECOND), oldest * SECOND, 10 * SECOND).iter().map(bounds).collect()
        };
        assert_eq!(slices(None, 35, 5), [(None, 15), (Some(15), 25), (Some(25), 35)]);
        assert_eq!(slices(Some(0), 25, 0), [(Some(0), 10), (Some(10), 20), (Some(20), 25)]);
        assert_eq!(slices(Some(0), 10, 0), [(Some(0), 10)]);
        assert_eq!(slices(Some(20), 20, 0), [(Some(20), 20)], "an empty window is one empty slice");
    }

    #[test]
    fn a_stretch_of_time_is_halved_down_to_a_second() {
        let halve = |from: Option<i64>, to: i64, oldest: i64| {
            let halves = Cut::halved_by_time("At", (from.map(|f| f * SECOND), to * SECOND), oldest * SECOND)?;
            Some([bounds(&halves[0]), bounds(&halves[1])])
        };
        assert_eq!(halve(Some(0), 100, 0), Some([(Some(0), 50), (Some(50), 100)]));
        assert_eq!(halve(None, 100, 60), Some([(None, 80), (Some(80), 100)]));
        assert_eq!(halve(Some(0), 100, 60), Some([(Some(0), 80), (Some(80), 100)]), "no row is older than the oldest");
        assert_eq!(halve(Some(7), 9, 0), Some([(Some(7), 8), (Some(8), 9)]));
        assert_eq!(halve(Some(7), 8, 0), None);
        assert_eq!(halve(None, 8, 7), None);
    }

    #[test]
    fn ranges_of_ids_are_halved_between_their_rows() {
        let id = |end: &str| format!("00100000000{end}");
        let halves = Cut::halved_by_ids((None, None), (&id("0000"), &id("0002"))).unwrap();
        assert_eq!(halves[0], Cut::Ids { from: None, to: Some(id("0001")) });
        assert_eq!(halves[1], Cut::Ids { from: Some(id("0001")), to: None });
        assert_eq!(Cut::halved_by_ids((None, None), (&id("0000"), &id("0000"))), None);
        let select = Select::parse("SELECT Id FROM Account a").unwrap();
        assert_eq!(halves[0].condition(&select).unwrap(), "a.Id < '001000000000001'");
        assert_eq!(Cut::Ids { from: None, to: None }.condition(&select), None);
    }

    #[test]
    fn names_sort_as_they_are_read() {
        assert_eq!((name_of("", 3), name_of("s3", 1), name_of("d", 0)), ("s3".into(), "s3.1".into(), "d.0".into()));
        let mut names = ["s10", "s2.1", "s2.0.1", "s2.0.0", "s1"];
        names.sort_by_key(|name| place_of(name));
        assert_eq!(names, ["s1", "s2.0.0", "s2.0.1", "s2.1", "s10"]);
    }
}
