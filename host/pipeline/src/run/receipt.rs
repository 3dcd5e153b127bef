//! What proves a unit: the destination's word held against what the host carried, where its rows went, and the receipt of
//! a run over all of its units.

use std::fmt::Write;

use forcepump_sandbox::{Carried, CarriedFile, CarriedRows, CarriedTo, FileCompression, format_word};
use sha2::{Digest, Sha256};

use super::lane::Lane;
use super::proof::{self, Claim, Verdict};
use super::rerun::Checked;
use super::unit::Unit;
use crate::error::Error;
use crate::event::Event;
use crate::state::{PlaceKind, PlaceRow, UnitFile, UnitRow};

/// What is known of a committed unit beside its counts.
pub(super) struct Proven {
    /// files that the host wrote for it
    pub files: Vec<UnitFile>,
    pub places: Vec<PlaceRow>,
}

/// Whether the host saw rows of the unit go out; of one that the destination has already none do.
pub(super) fn went_out(lane: &Lane) -> bool {
    let carried = lane.destination.carried();
    carried.rows.values().any(|rows| rows.taken > 0) || !carried.files.is_empty()
}

/// Before the commit: a unit that cannot be right any more is not committed.
pub(super) fn before_commit(lane: &Lane, unit: &Unit<'_>) -> Result<(), Error> {
    let carried = lane.destination.carried();
    proof::before_commit(&claim(lane, unit, false), &carried).map_err(|why| broken(unit, &why, NOT_COMMITTED))
}

/// After the commit: what is durable, and where it is. A unit that is not as the destination says is noted as denied.
pub(super) fn after_commit(lane: &Lane, unit: &Unit<'_>, checked: &Checked) -> Result<Proven, Error> {
    let carried = lane.destination.carried();
    let verdict = match proof::after_commit(&claim(lane, unit, checked.may_be_there), &carried) {
        Ok(verdict) => verdict,
        Err(why) => {
            unit.shared.journal.denied(checked.counts.row())?;
            return Err(broken(unit, &why, COMMITTED));
        }
    };
    if let Verdict::Told(text) = verdict
        && unit.shared.tells_of_own_batches()
    {
        let plugin = unit.shared.parts.destination.name();
        let text = format!(
            "unit {}: the plugin {plugin} makes batches of its own, so that its word cannot be judged: {text}; further units are not told",
            unit.id
        );
        unit.shared.observer.event(Event::Warning(text));
    }
    let files = carried.files.iter().map(|file| UnitFile { root: file.root.clone(), path: file.written.path.clone() });
    Ok(Proven { files: files.collect(), places: places(unit, &carried) })
}

/// The tables that hold rows of the unit once it is committed. Of a kill after that nothing else tells: the destination has
/// the unit, and takes its rows without a look.
pub(super) fn places_before_commit(lane: &Lane, unit: &Unit<'_>) -> Vec<PlaceRow> {
    tables(unit, &lane.destination.carried(), |rows| rows.taken)
}

const NOT_COMMITTED: &str = "nothing of the unit was committed";
const COMMITTED: &str = "what the plugin committed of the unit stays in the destination";

fn claim(lane: &Lane, unit: &Unit<'_>, may_be_there: bool) -> Claim {
    Claim {
        accepted: unit.tally.written,
        mode: lane.pass.target.mode,
        has_places: lane.destination.has_places(),
        may_be_there,
    }
}

fn broken(unit: &Unit<'_>, why: &str, left: &str) -> Error {
    Error::Plugin {
        plugin: unit.shared.parts.destination.name().to_owned(),
        call: "commit",
        message: format!("unit {}: {why}; {left}", unit.id),
    }
}

fn places(unit: &Unit<'_>, carried: &Carried) -> Vec<PlaceRow> {
    let grant = &unit.shared.parts.destination.grant;
    let file = |file: &CarriedFile| {
        let place = PlaceKind::File {
            folder: grant.files.get(&file.root).cloned().unwrap_or_default(),
            path: file.written.path.clone(),
            format: format_word(file.format).to_owned(),
            compression: compression_word(file.compression).to_owned(),
            bytes: file.written.bytes,
            sha256: file.written.sha256.clone(),
        };
        row_of(unit, place, file.written.rows)
    };
    carried.files.iter().map(file).chain(tables(unit, carried, |rows| rows.durable)).collect()
}

fn tables(unit: &Unit<'_>, carried: &Carried, rows_of: impl Fn(&CarriedRows) -> u64) -> Vec<PlaceRow> {
    let grant = &unit.shared.parts.destination.grant;
    let tables = carried.rows.iter().filter_map(|(to, rows)| match to {
        CarriedTo::Table { connection, table, mode } => {
            let dsn = grant.sql.get(connection).map_or("", String::as_str);
            let database = dsn.strip_prefix(crate::capability::SQLITE_PREFIX).unwrap_or(dsn).to_owned();
            let (table, mode) = (table.clone(), (*mode).to_owned());
            Some(row_of(unit, PlaceKind::Table { database, table, mode }, rows_of(rows)))
        }
        CarriedTo::Files { .. } => None,
    });
    tables.collect()
}

fn row_of(unit: &Unit<'_>, place: PlaceKind, rows: u64) -> PlaceRow {
    PlaceRow { feed: unit.shared.journal.feed().to_owned(), unit: unit.id.to_owned(), place, rows }
}

fn compression_word(compression: FileCompression) -> &'static str {
    match compression {
        FileCompression::None => "none",
        FileCompression::Gzip => "gzip",
        FileCompression::Zstd => "zstd",
    }
}

/// The receipt of a run: SHA-256 over its units, a line each in the order of feed and id, with their counts and the hashes of their
/// rows. Two runs that read and wrote the same in the same units have the same receipt. None where nothing is committed.
pub(crate) fn of(units: &[UnitRow]) -> Option<String> {
    let mut lines: Vec<String> = units.iter().map(line).collect();
    lines.sort_unstable();
    let digest = Sha256::digest(lines.concat());
    (!lines.is_empty()).then(|| hex(&digest))
}

fn line(unit: &UnitRow) -> String {
    let tally = &unit.tally;
    let hash = |hash: &Option<Vec<u8>>| hash.as_deref().map_or_else(String::new, hex);
    let counts = [tally.read, tally.added, tally.filtered, tally.rejected, tally.written];
    let mut line = format!("{}\t{}", unit.feed, unit.unit);
    // Writing to a string cannot fail.
    for count in counts {
        let _ = write!(line, "\t{count}");
    }
    let _ = writeln!(line, "\t{}\t{}", hash(&unit.read_hash), hash(&unit.written_hash));
    line
}

/// Lower-case digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
