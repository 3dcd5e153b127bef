//! The words of generated values. Nothing here needs escaping in CSV.

use super::sink::{digits_of, pair};

/// Powers of ten that fit a double exactly.
pub const POWERS: [u64; 16] = {
    let mut out = [1u64; 16];
    let mut power = 1;
    while power < 16 {
        out[power] = out[power - 1] * 10;
        power += 1;
    }
    out
};

const FIRST_NAMES: [&str; 32] = [
    "Ada",
    "Ben",
    "Chloe",
    "Daniel",
    "Elif",
    "Fatima",
    "Georg",
    "Hana",
    "Ivan",
    "Jana",
    "Kofi",
    "Lena",
    "Miguel",
    "Nadia",
    "Oluwaseun",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tomoko",
    "Ursula",
    "Viktor",
    "Wei",
    "Ximena",
    "Yusuf",
    "Zoe",
    "José",
    "Zoë",
    "Søren",
    "Łukasz",
    "Дмитрий",
    "美咲",
];
const LAST_NAMES: [&str; 32] = [
    "Abe",
    "Baker",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nguyen",
    "Okafor",
    "Patel",
    "Quist",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Usman",
    "Van Dyke",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zimmermann",
    "O'Neill",
    "Müller",
    "Núñez",
    "Åkesson",
    "Иванова",
    "山田",
];
const COMPANY_HEADS: [&str; 32] = [
    "Alpine", "Baltic", "Cedar", "Delta", "Eastern", "Falcon", "Granite", "Harbor", "Iron", "Juniper", "Keystone",
    "Lakeside", "Meridian", "Northern", "Orchard", "Pacific", "Quarry", "River", "Summit", "Tidal", "United", "Valley",
    "Western", "Yellow", "Zenith", "Blue", "Copper", "Golden", "Silver", "Violet", "Émile", "Øresund",
];
const COMPANY_TAILS: [&str; 16] = [
    " Foods",
    " Logistics",
    " Instruments",
    " Energy",
    " Textiles",
    " Media",
    " Systems",
    " Pharma",
    " Steel",
    " Robotics",
    " Paper",
    " Shipping",
    " Insurance",
    " Tools",
    " Gardens",
    " Analytics",
];
const COMPANY_FORMS: [&str; 8] = [" Inc.", " Ltd", " GmbH", " S.A.", " & Co.", " AG", " plc", ""];
const STREETS: [&str; 16] = [
    " Main Street",
    " Oak Avenue",
    " Station Road",
    " Hill Lane",
    " Market Square",
    " Park Drive",
    " River Walk",
    " High Street",
    " Mill Road",
    " Church Lane",
    " King Street",
    " Lake View",
    " Bahnhofstraße",
    " Rue de l'Église",
    " Calle Mayor",
    " Via Roma",
];
const NOUNS: [&str; 32] = [
    "renewal",
    "expansion",
    "pilot",
    "migration",
    "upgrade",
    "audit",
    "support",
    "training",
    "rollout",
    "integration",
    "replacement",
    "subscription",
    "workshop",
    "review",
    "delivery",
    "platform",
    "warehouse",
    "network",
    "licence",
    "hardware",
    "billing",
    "forecast",
    "inventory",
    "dashboard",
    "contract",
    "portal",
    "campaign",
    "archive",
    "backup",
    "analytics",
    "onboarding",
    "maintenance",
];
const SENTENCES: [&str; 16] = [
    "Met the buyer at the trade fair and agreed to send a quote by Friday.",
    "They run three plants and want one system for all of them.",
    "Budget is approved, the legal department still has to read the contract.",
    "Asked for references from the same industry and of a similar size.",
    "Delivery was two weeks late last year, so punctuality matters to them more than price.",
    "The previous supplier stops production in autumn.",
    "Invoice goes to the head office, goods go to the plant.",
    "Prefers to be called in the morning, never on Mondays.",
    "Wants a pilot with ten users before the company decides.",
    "Renewal is due, remind them one month ahead.",
    "The contact moved to another department; her successor is not known yet.",
    "Competes with two of our other customers, take care what is said.",
    "Needs the documents in French and in German.",
    "Discount was granted for a term of three years.",
    "Open questions: data protection, backup, availability.",
    "Good reference, allowed us to use the logo.",
];

fn of<const N: usize>(words: &'static [&'static str; N], choice: u64) -> &'static [u8] {
    words[(choice % N as u64) as usize].as_bytes()
}

/// `Harbor Steel GmbH`
pub fn company(hash: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(of(&COMPANY_HEADS, hash >> 20));
    out.extend_from_slice(of(&COMPANY_TAILS, hash >> 30));
    out.extend_from_slice(of(&COMPANY_FORMS, hash >> 40));
}

/// A first name.
pub fn first_name(person: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(of(&FIRST_NAMES, person >> 20));
}

/// A last name.
pub fn last_name(person: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(of(&LAST_NAMES, person >> 30));
}

/// First and last name.
pub fn person(person: u64, out: &mut Vec<u8>) {
    first_name(person, out);
    out.push(b' ');
    last_name(person, out);
}

/// `p123.456789@example.com`: unique by row, and nobody's address.
pub fn email(person: u64, row: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"p");
    number(person % 1_000, out);
    out.push(b'.');
    number(row + 1, out);
    out.extend_from_slice(b"@example.com");
}

fn number(value: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let count = digits_of(value, &mut digits).max(1);
    out.extend_from_slice(&digits[20 - count..]);
}

/// `(555) 012-3456`
pub fn phone(hash: u64) -> [u8; 14] {
    let mut out = *b"(555) 000-0000";
    let number = hash >> 20;
    out[6] = b'0' + (number % 10) as u8;
    out[7..9].copy_from_slice(&pair(number / 10));
    out[10..12].copy_from_slice(&pair(number / 1_000));
    out[12..14].copy_from_slice(&pair(number / 100_000));
    out
}

/// `https://example.com/renewal/1234`
pub fn url(hash: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"https://example.com/");
    out.extend_from_slice(of(&NOUNS, hash >> 20));
    out.push(b'/');
    number((hash >> 30) % 10_000, out);
}

/// `12 Oak Avenue`
pub fn street(hash: u64, out: &mut Vec<u8>) {
    number(1 + (hash >> 20) % 900, out);
    out.extend_from_slice(of(&STREETS, hash >> 32));
}

/// Two nouns.
pub fn phrase(hash: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(of(&NOUNS, hash >> 20));
    out.push(b' ');
    out.extend_from_slice(of(&NOUNS, hash >> 30));
}

/// One sentence.
#[inline]
pub fn sentence(choice: u64) -> &'static [u8] {
    of(&SENTENCES, choice >> 20)
}

/// Cities with their states, postal codes and countries, in step.
pub const CITIES: [&str; 16] = [
    "San Francisco",
    "New York",
    "Austin",
    "Chicago",
    "London",
    "Manchester",
    "Berlin",
    "München",
    "Paris",
    "Lyon",
    "Zürich",
    "Tokyo",
    "São Paulo",
    "Toronto",
    "Sydney",
    "København",
];
pub const STATES: [&str; 16] =
    ["CA", "NY", "TX", "IL", "England", "England", "", "Bayern", "", "Rhône", "ZH", "東京都", "SP", "ON", "NSW", ""];
pub const POSTAL_CODES: [&str; 16] = [
    "94105",
    "10001",
    "78701",
    "60601",
    "EC1A 1BB",
    "M1 1AE",
    "10115",
    "80331",
    "75001",
    "69001",
    "8001",
    "100-0001",
    "01310-100",
    "M5H 2N2",
    "2000",
    "0999",
];
pub const COUNTRIES: [&str; 16] = [
    "United States",
    "United States",
    "United States",
    "United States",
    "United Kingdom",
    "United Kingdom",
    "Germany",
    "Germany",
    "France",
    "France",
    "Switzerland",
    "Japan",
    "Brazil",
    "Canada",
    "Australia",
    "Denmark",
];
