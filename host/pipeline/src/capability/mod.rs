//! The operator's grants, turned into what the sandbox links: the transfer crate behind the sandbox's traits.

mod files;
pub mod http;
mod sql;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forcepump_sandbox::{Clock, FileProvider, Grants, Limits, Seed, SqlProvider};

use crate::error::Error;
use crate::file::{Grant, PluginLimits};
use crate::report::ResultPlace;

/// Only SQLite is spoken so far.
pub const SQLITE_PREFIX: &str = "sqlite:";
/// Bytes in a MiB.
const MIB: usize = 1 << 20;

/// What clock and random bytes are, where they are granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambient {
    /// the time
    pub clock: Clock,
    /// the source of random bytes
    pub seed: Seed,
}

impl Ambient {
    /// The machine's own.
    pub const SYSTEM: Self = Self { clock: Clock::System, seed: Seed::System };

    /// The same in every run.
    #[must_use]
    pub fn fixed(as_of_micros: i64, seed: u64) -> Self {
        Self { clock: Clock::Frozen(as_of_micros), seed: Seed::Fixed(seed) }
    }
}

/// Opens the granted folders, which makes them. Everything else is as it was.
///
/// # Errors
/// [`Error::Place`] when a folder cannot be opened.
pub fn open(key: &str, grant: &Grant, limits: &PluginLimits, folder: &Path, dry: &Grants) -> Result<Grants, Error> {
    let mut files: BTreeMap<String, Arc<dyn FileProvider>> = BTreeMap::new();
    for (name, path) in &grant.files {
        let root = files::root(&folder.join(path), quota_bytes(limits))
            .map_err(|error| Error::Place { key: format!("{key}.grant.files.{name}"), message: error.to_string() })?;
        files.insert(name.clone(), Arc::new(files::Folder(root)));
    }
    Ok(Grants { files, ..dry.clone() })
}

/// The grants without any folder behind them: enough to check what a plugin asks for and to open a transform. A folder
/// is made when something is written to it; nothing is sent.
///
/// # Errors
/// [`Error::Input`] when a grant is malformed or a secret cannot be had.
pub fn dry(key: &str, grant: &Grant, limits: &PluginLimits, folder: &Path, ambient: Ambient) -> Result<Grants, Error> {
    let unopened = |path: &String| files::Unopened::new(folder.join(path), quota_bytes(limits));
    let files = grant.files.iter();
    Ok(Grants {
        clock: grant.clock.then_some(ambient.clock),
        random: grant.random.then_some(ambient.seed),
        sql: databases(key, grant, limits, folder)?,
        files: files.map(|(name, path)| (name.clone(), Arc::new(unopened(path)) as Arc<dyn FileProvider>)).collect(),
        http: http::provider(key, &grant.http, folder)?,
    })
}

/// The granted databases, opened when the plugin asks for them.
///
/// # Errors
/// [`Error::Input`] for one that this version cannot open.
pub fn databases(
    key: &str,
    grant: &Grant,
    limits: &PluginLimits,
    folder: &Path,
) -> Result<BTreeMap<String, Arc<dyn SqlProvider>>, Error> {
    let call_limit = self::limits(limits).call;
    let mut sql: BTreeMap<String, Arc<dyn SqlProvider>> = BTreeMap::new();
    for (name, dsn) in &grant.sql {
        let path = sqlite_path(dsn, folder).map_err(|text| Error::input(format!("{key}.grant.sql.{name}"), text))?;
        sql.insert(name.clone(), Arc::new(sql::Database { path, call_limit }));
    }
    Ok(sql)
}

/// Bytes that may be written to each granted folder in one run.
fn quota_bytes(limits: &PluginLimits) -> Option<u64> {
    limits.files_mib.map(|mib| mib.saturating_mul(MIB as u64))
}

/// The file of a database; otherwise why there is none.
pub fn sqlite_path(dsn: &str, folder: &Path) -> Result<PathBuf, String> {
    match dsn.strip_prefix(SQLITE_PREFIX) {
        Some(path) if !path.is_empty() && !path.starts_with(':') => Ok(folder.join(path)),
        _ => Err(format!("`{dsn}` is no database this version can open; write \"sqlite:PATH\"")),
    }
}

/// The sandbox's limits for a plugin: the defaults, changed where the file says so.
#[must_use]
pub fn limits(limits: &PluginLimits) -> Limits {
    let mut chosen = Limits::default();
    if let Some(mib) = limits.memory_mib {
        chosen.memory_bytes = mib as usize * MIB;
    }
    if let Some(ms) = limits.call_ms {
        chosen.call = Duration::from_millis(u64::from(ms));
    }
    if let Some(mib) = limits.output_mib {
        chosen.output_bytes = mib as usize * MIB;
    }
    if let Some(mib) = limits.http_response_mib {
        chosen.http_response_bytes = mib as usize * MIB;
    }
    chosen.fan_out = limits.fan_out.unwrap_or(chosen.fan_out);
    chosen.rows = limits.rows.unwrap_or(chosen.rows);
    chosen.log_lines_per_second = limits.log_lines_per_second.unwrap_or(chosen.log_lines_per_second);
    chosen.http_calls_per_second = limits.http_calls_per_second.unwrap_or(chosen.http_calls_per_second);
    chosen.fuel = limits.fuel;
    chosen
}

/// Removes files below a granted folder; those that are not there are no error.
///
/// # Errors
/// What the operating system says, with the path; a path that leads out of the folder.
pub fn remove_files(folder: &Path, paths: &[&str]) -> Result<(), String> {
    files::remove(folder, paths).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The places that a grant lets a destination write to.
#[must_use]
pub fn places(grant: &Grant, folder: &Path) -> Vec<ResultPlace> {
    let folders = grant
        .files
        .values()
        .map(|path| ResultPlace::Folder { path: folder.join(path).display().to_string(), files: Vec::new() });
    let databases = grant.sql.values().filter_map(|dsn| sqlite_path(dsn, folder).ok());
    let databases = databases.map(|path| ResultPlace::Sqlite { path: path.display().to_string() });
    folders.chain(databases).collect()
}

/// The grants in words, for a plan.
#[must_use]
pub fn words(grant: &Grant) -> Vec<String> {
    let files = grant.files.iter().map(|(name, path)| format!("files {name} = {path}"));
    let sql = grant.sql.iter().map(|(name, dsn)| format!("sql {name} = {dsn}"));
    let clock = grant.clock.then(|| "clock".to_owned());
    let random = grant.random.then(|| "random".to_owned());
    let http = grant.http.iter().map(|(name, grant)| http::words(name, grant));
    files.chain(sql).chain(http).chain(clock).chain(random).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_of_another_kind_is_refused_by_name() {
        let grant = Grant { sql: BTreeMap::from([("db".into(), "postgres://x".into())]), ..Grant::default() };
        let limits = PluginLimits::default();
        let text = dry("destination", &grant, &limits, Path::new("."), Ambient::SYSTEM).unwrap_err().to_string();
        assert!(text.contains("destination.grant.sql.db") && text.contains("sqlite:PATH"), "{text}");
    }

    #[test]
    fn a_dry_grant_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let grant = Grant { files: BTreeMap::from([("out".into(), "results".into())]), ..Grant::default() };
        let limits = PluginLimits::default();
        let dry = dry("destination", &grant, &limits, folder.path(), Ambient::SYSTEM).unwrap();
        assert!(!folder.path().join("results").exists());
        open("destination", &grant, &limits, folder.path(), &dry).unwrap();
        assert!(folder.path().join("results").exists());
    }

    #[test]
    fn a_quota_is_of_the_folder_however_often_it_is_used() {
        use forcepump_sandbox::{FileCompression, FileError, FileFormat};
        let folder = tempfile::tempdir().unwrap();
        let grant = Grant { files: BTreeMap::from([("out".into(), "out".into())]), ..Grant::default() };
        let limits = PluginLimits { files_mib: Some(1), ..PluginLimits::default() };
        let granted = dry("transform[0]", &grant, &limits, folder.path(), Ambient::SYSTEM).unwrap();
        let write = |name: &str| {
            let mut sink = granted.files["out"].create(name, FileFormat::Raw, FileCompression::None)?;
            sink.write(&vec![0; 600 << 10])?;
            sink.finish()
        };
        assert!(write("a").is_ok());
        assert_eq!(write("b"), Err(FileError::Quota(1 << 20)));
    }

    #[test]
    fn limits_of_the_file_replace_only_what_they_name() {
        let chosen = limits(&PluginLimits { memory_mib: Some(8), ..PluginLimits::default() });
        assert_eq!(chosen.memory_bytes, 8 << 20);
        assert_eq!(chosen.call, Limits::default().call);
    }
}
