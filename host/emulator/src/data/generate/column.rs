//! What a column's cells are, and how one is written.

use crate::data::ids;
use crate::data::stored::TextColumn;
use std::sync::Arc;

use super::calendar;
use super::pool::Pool;
use super::sink::{Sink, digits_of, pair};
use super::words;

/// Odd constant that spreads consecutive rows over the whole range (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// Of 1024 cells, how many are awkward: 3 %.
const AWKWARD_OF_1024: u64 = 31;
/// Seconds from 1970 to 2012-01-01, before which nothing was created here.
const FIRST_SECOND: u64 = 1_325_376_000;
/// Seconds over which records were created: ten years.
const CREATED_SECONDS: u64 = 315_360_000;
/// Seconds within which a record is changed after it was created: four years.
const CHANGED_SECONDS: u64 = 126_144_000;

/// A column: its values, how many of 256 are null, and what its awkward ones are.
#[derive(Debug, Clone)]
pub struct Column {
    /// Seed of the column's own values.
    pub seed: u64,
    /// Seed shared by the columns whose values belong together, for example city and country.
    pub group: u64,
    /// Of 256 cells, how many are null.
    pub nulls: u64,
    /// Values for about 3 % of the cells.
    pub awkward: Pool,
    /// The usual values.
    pub kind: Kind,
}

/// A place that a reference may point to.
#[derive(Debug, Clone)]
pub struct Place {
    pub object: usize,
    pub prefix: [u8; 3],
    pub rows: u64,
    pub given: Option<Arc<TextColumn>>,
}

/// The usual values of a column.
#[derive(Debug, Clone)]
pub enum Kind {
    Null,
    Constant(Pool),
    Id([u8; 3]),
    /// One of the pool, chosen by the group's seed.
    Pick(Pool),
    /// The row's number behind a word.
    Numbered {
        head: &'static str,
        width: usize,
    },
    Boolean {
        trues: u64,
    },
    Company,
    PersonName,
    FirstName,
    LastName,
    Email,
    Phone,
    Url,
    Street,
    Words,
    Prose {
        most: u64,
    },
    Decimal {
        digits: u32,
        scale: u32,
        negatives: bool,
    },
    Whole {
        below: u64,
    },
    Day,
    Moment,
    Created,
    Changed,
    Clock,
    Reference {
        places: Vec<Place>,
        skew: bool,
    },
    /// A row of the same object with a lower number.
    Ancestor(Place),
}

#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
fn hash(seed: u64, row: u64) -> u64 {
    mix(seed.wrapping_add(row.wrapping_mul(SPREAD)))
}

/// A number below `limit`, from the upper bits of a hash.
#[inline]
fn below(hash: u64, limit: u64) -> u64 {
    ((u128::from(hash) * u128::from(limit)) >> 64) as u64
}

/// A seed for a name, for example of an object or a field.
pub fn named_seed(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed ^ SPREAD), |seed, byte| mix(seed.wrapping_add(u64::from(byte)).wrapping_mul(SPREAD)))
}

/// A second within the years in which records were created.
pub fn created_second(number: u64) -> u64 {
    FIRST_SECOND + below(mix(number.wrapping_mul(SPREAD)), CREATED_SECONDS)
}

impl Column {
    /// Writes the cell of that row.
    #[inline]
    pub fn write<S: Sink>(&self, row: u64, sink: &mut S) {
        let hash = hash(self.seed, row);
        // The low bits decide on awkwardness and null, the high bits on the value.
        if hash & 1023 < AWKWARD_OF_1024 && self.awkward.len() > 0 {
            return sink.pooled(&self.awkward, ((hash >> 10) % self.awkward.len() as u64) as usize);
        }
        if (hash >> 10) & 255 < self.nulls {
            return sink.cell(b"");
        }
        self.usual(row, hash, sink);
    }

    #[inline]
    fn usual<S: Sink>(&self, row: u64, hash: u64, sink: &mut S) {
        match &self.kind {
            Kind::Null => sink.cell(b""),
            Kind::Constant(pool) => sink.pooled(pool, 0),
            Kind::Id(prefix) => sink.cell(&ids::of_row(*prefix, row)),
            Kind::Pick(pool) => sink.pooled(pool, self.choice(row, pool.len())),
            Kind::Boolean { trues } => sink.cell(if (hash >> 20) & 255 < *trues { b"true" } else { b"false" }),
            Kind::Decimal { digits, scale, negatives } => decimal(hash, *digits, *scale, *negatives, sink),
            Kind::Day => {
                sink.cell(&calendar::day((FIRST_SECOND + below(hash, CREATED_SECONDS + CHANGED_SECONDS)) / 86_400))
            }
            Kind::Moment => sink.cell(&calendar::second(FIRST_SECOND + below(hash, CREATED_SECONDS + CHANGED_SECONDS))),
            Kind::Created => sink.cell(&calendar::second(self.created(row))),
            Kind::Changed => sink.cell(&calendar::second(self.created(row) + below(hash, CHANGED_SECONDS))),
            Kind::Reference { .. } | Kind::Ancestor(_) => self.reference(row, sink),
            Kind::Prose { most } => prose(hash, *most, sink),
            _ => self.named(row, hash, sink),
        }
    }

    fn named<S: Sink>(&self, row: u64, hash: u64, sink: &mut S) {
        match &self.kind {
            Kind::Numbered { head, width } => sink.parts(|out| numbered(head, row + 1, *width, out)),
            Kind::Company => sink.parts(|out| words::company(hash, out)),
            Kind::FirstName => sink.parts(|out| words::first_name(self.person(row), out)),
            Kind::LastName => sink.parts(|out| words::last_name(self.person(row), out)),
            Kind::PersonName => sink.parts(|out| words::person(self.person(row), out)),
            Kind::Email => sink.parts(|out| words::email(self.person(row), row, out)),
            Kind::Phone => sink.cell(&words::phone(hash)),
            Kind::Url => sink.parts(|out| words::url(hash, out)),
            Kind::Street => sink.parts(|out| words::street(hash, out)),
            Kind::Words => sink.parts(|out| words::phrase(hash, out)),
            Kind::Whole { below: limit } => sink.parts(|out| numbered("", below(hash, *limit), 1, out)),
            Kind::Clock => sink.cell(&clock(hash)),
            _ => sink.cell(b""),
        }
    }

    fn person(&self, row: u64) -> u64 {
        hash(self.group, row)
    }

    #[inline]
    fn choice(&self, row: u64, count: usize) -> usize {
        below(hash(self.group, row), count as u64) as usize
    }

    fn created(&self, row: u64) -> u64 {
        FIRST_SECOND + below(hash(self.group, row), CREATED_SECONDS)
    }

    #[inline]
    fn reference<S: Sink>(&self, row: u64, sink: &mut S) {
        match self.target(row) {
            None => sink.cell(b""),
            Some((Place { given: Some(given), .. }, parent)) => sink.cell(given.get(parent)),
            Some((place, parent)) => sink.cell(&ids::of_row(place.prefix, parent)),
        }
    }

    /// Where a reference points; the null check is the caller's.
    #[inline]
    fn target(&self, row: u64) -> Option<(&Place, u64)> {
        let choice = mix(hash(self.seed, row));
        match &self.kind {
            Kind::Reference { places, skew } => {
                // The first place is the usual one; the others share a tenth.
                let other = choice & 1023 < 102 && places.len() > 1;
                let index = if other { 1 + ((choice >> 10) % (places.len() as u64 - 1)) as usize } else { 0 };
                let place = places.get(index).filter(|place| place.rows > 0)?;
                // A quarter of the children belong to a thousandth of the parents.
                let crowded = *skew && (choice >> 20) & 3 == 0;
                let rows = if crowded { place.rows / 1_000 + 1 } else { place.rows };
                Some((place, below(mix(choice), rows)))
            }
            Kind::Ancestor(place) => (row > 0).then(|| (place, below(choice, row.min(place.rows)))),
            _ => None,
        }
    }

    /// Object and row that the cell points to.
    pub fn parent(&self, row: u64) -> Option<(usize, u64)> {
        let null = (hash(self.seed, row) >> 10) & 255 < self.nulls;
        if null { None } else { self.target(row).map(|(place, parent)| (place.object, parent)) }
    }
}

/// A number of up to `digits` digits; small ones are as likely as large ones.
#[inline]
fn decimal<S: Sink>(hash: u64, digits: u32, scale: u32, negatives: bool, sink: &mut S) {
    let used = 1 + ((hash >> 20) & 0xFF) as u32 * digits / 256;
    let limit = words::POWERS[used as usize & 15];
    sink.decimal(negatives && hash >> 62 == 0, below(hash, limit), scale);
}

fn numbered(head: &str, number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let count = digits_of(number, &mut digits).max(width);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&digits[20 - count..]);
}

fn clock(hash: u64) -> [u8; 13] {
    let mut out = *b"00:00:00.000Z";
    let second = below(hash, 86_400);
    out[..2].copy_from_slice(&pair(second / 3_600));
    out[3..5].copy_from_slice(&pair(second / 60 % 60));
    out[6..8].copy_from_slice(&pair(second % 60));
    out
}

#[inline]
fn prose<S: Sink>(hash: u64, most: u64, sink: &mut S) {
    sink.parts(|out| {
        let count = 1 + below(hash, most);
        let mut choice = hash;
        for place in 0..count {
            choice = mix(choice);
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(words::sentence(choice));
        }
    });
}
