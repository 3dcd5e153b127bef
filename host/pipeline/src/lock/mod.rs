//! `forcepump.lock`: pins what each plugin of each pipeline is, asks for, is granted and may read.
//!
//! The file stands beside the pipelines. A pipeline that has entries in it is held to them by `check`, `plan`,
//! `preview` and `run`: a component with another digest is not even compiled, and a wider ask, a wider grant or a
//! loosened firewall is told with the difference. What became narrower is let through.

mod compare;
mod entry;
mod file;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forcepump_sandbox::Plugin;
use serde::Serialize;

use crate::error::Error;
use crate::file::{Pipeline, Problem, serves};
use crate::host::Host;
use crate::part::{Part, Step};
use crate::run::shared::Parts;
use entry::{Entry, steps};
use file::LockFile;

pub(crate) use entry::Watched;

/// Name of the file, beside the pipelines that it pins.
pub const LOCK_FILE: &str = "forcepump.lock";

/// What the lock file says of one pipeline.
pub(crate) struct Pins {
    path: PathBuf,
    file: String,
    /// none when the pipeline has no entry
    entries: Option<Vec<Entry>>,
}

impl Pins {
    /// Reads the lock file beside a pipeline.
    ///
    /// # Errors
    /// [`Error::File`] when it is malformed; [`Error::Input`] when it or the entry is missing and `required`.
    pub(crate) fn of(pipeline: &Pipeline, required: bool) -> Result<Self, Error> {
        let path = pipeline.folder().join(LOCK_FILE);
        let file = file_name(pipeline);
        let entries: Vec<Entry> = match LockFile::load(&path)? {
            Some(lock) => lock.plugins.into_iter().filter(|entry| entry.pipeline == file).collect(),
            None if required => return Err(missing(&path, "there is no such file", pipeline)),
            None => Vec::new(),
        };
        if entries.is_empty() && required {
            return Err(missing(&path, &format!("it has no entry for `{file}`"), pipeline));
        }
        Ok(Self { path, file, entries: (!entries.is_empty()).then_some(entries) })
    }

    /// Refuses the bytes of a component that is pinned with another digest, before anything of it is compiled.
    ///
    /// # Errors
    /// [`Error::Input`] with both digests.
    pub(crate) fn check_digest(&self, step: &Step<'_>, digest: &str, built_in: bool) -> Result<(), Error> {
        let mut entries = self.entries.iter().flatten();
        let Some(pinned) = entries.find(|entry| entry.step == step.key && entry.plugin == step.plugin) else {
            return Ok(());
        };
        // The program vouches for what it brings.
        if pinned.sha256 == digest || (built_in && pinned.built_in) {
            return Ok(());
        }
        let message = format!(
            "`{}` is not the component that {} pins\npinned sha256 {}\nfound  sha256 {digest}",
            step.plugin,
            self.path.display(),
            pinned.sha256
        );
        Err(self.refusal(vec![Problem::new(format!("{}.plugin", step.key), message)]))
    }

    /// Holds the loaded plugins to their entries.
    ///
    /// # Errors
    /// [`Error::Input`] with everything that became wider.
    pub(crate) fn enforce(&self, host: &Host, pipeline: &Pipeline, parts: &Parts) -> Result<(), Error> {
        let Some(pinned) = &self.entries else { return Ok(()) };
        let concerned = |entry: &&Entry| serves(&entry.objects, pipeline.feed());
        let pinned: Vec<Entry> = pinned.iter().filter(concerned).cloned().collect();
        let loaded = parts.transforms.iter().chain([&parts.destination]);
        let found = entries_of(host, pipeline, &self.file, loaded.map(|part: &Part| &part.plugin))?;
        let problems = compare::wider(&pinned, &found);
        if problems.is_empty() { Ok(()) } else { Err(self.refusal(problems)) }
    }

    /// A note for each component file that no entry pins.
    pub(crate) fn unpinned(&self, host: &Host, pipeline: &Pipeline) -> Vec<String> {
        if self.entries.is_some() {
            return Vec::new();
        }
        let own =
            steps(&pipeline.file, pipeline.feed()).into_iter().filter(|watched| !host.is_builtin(watched.step.plugin));
        let note = |watched: Watched<'_>| {
            let Step { key, plugin, .. } = watched.step;
            format!("{key}: `{plugin}` is not pinned; `forcepump lock {}` pins it", pipeline.path.display())
        };
        own.map(note).collect()
    }

    fn refusal(&self, mut problems: Vec<Problem>) -> Error {
        if let Some(last) = problems.last_mut() {
            let path = self.path.with_file_name(&self.file);
            last.message.push_str(&format!(
                "\nhint: review what is new; `forcepump lock {}` accepts it, with --check it only shows it",
                path.display()
            ));
        }
        Error::Input(problems)
    }
}

fn missing(path: &Path, what: &str, pipeline: &Pipeline) -> Error {
    let hint = format!("\nhint: `forcepump lock {}` writes it", pipeline.path.display());
    Error::input(path.display().to_string(), format!("{what}, and --locked asks for it{hint}"))
}

fn file_name(pipeline: &Pipeline) -> String {
    pipeline.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries_of<'a>(
    host: &Host,
    pipeline: &Pipeline,
    file: &str,
    plugins: impl Iterator<Item = &'a Plugin>,
) -> Result<Vec<Entry>, Error> {
    let watched = steps(&pipeline.file, pipeline.feed()).into_iter().zip(plugins);
    watched.map(|(watched, plugin)| Entry::of(file, &watched, plugin, host.is_builtin(watched.step.plugin))).collect()
}

/// What `forcepump lock` did, or would do.
#[derive(Debug, Serialize)]
pub struct LockReport {
    /// each lock file, with its pipelines
    pub locks: Vec<LockedFolder>,
}

/// One lock file.
#[derive(Debug, Serialize)]
pub struct LockedFolder {
    /// its path
    pub path: String,
    /// the pipelines that were named
    pub pipelines: Vec<LockedPipeline>,
}

/// One pipeline.
#[derive(Debug, Serialize)]
pub struct LockedPipeline {
    /// its file, in the folder of the lock file
    pub file: String,
    /// whether the lock file said the same already
    pub state: LockState,
    /// what is new (`+ `) and what is gone (`- `), by step
    pub changes: Vec<StepChange>,
}

/// One step of a pipeline that is not as it was pinned.
#[derive(Debug, Serialize)]
pub struct StepChange {
    /// where it stands in the file, for example `transform[0]`
    pub step: String,
    /// what is new (`+ `) and what is gone (`- `)
    pub lines: Vec<String>,
}

/// How a pipeline stands to its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockState {
    /// it had none
    Added,
    /// they said something else
    Changed,
    /// they said the same
    Unchanged,
}

impl LockReport {
    /// Whether every entry said what is.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.locks.iter().flat_map(|lock| &lock.pipelines).all(|pipeline| pipeline.state == LockState::Unchanged)
    }
}

/// Pins the plugins of these pipelines; with `check` nothing is written. No plugin runs but its `describe`.
///
/// # Errors
/// [`Error::Input`] and [`Error::Plugin`] when a plugin cannot be loaded, [`Error::File`] for a malformed lock file,
/// [`Error::Host`] when it cannot be written. Then no lock file is changed.
pub fn lock(host: &Host, pipelines: &[Pipeline], check: bool) -> Result<LockReport, Error> {
    let mut folders: BTreeMap<PathBuf, Vec<&Pipeline>> = BTreeMap::new();
    for pipeline in pipelines {
        folders.entry(pipeline.folder().join(LOCK_FILE)).or_default().push(pipeline);
    }
    let mut locks = Vec::new();
    let mut files = Vec::new();
    for (path, pipelines) in folders {
        let mut lock = LockFile::load(&path)?.unwrap_or_default();
        let mut locked = Vec::new();
        for pipeline in pipelines {
            locked.push(lock_one(host, pipeline, &mut lock)?);
        }
        locks.push(LockedFolder { path: path.display().to_string(), pipelines: locked });
        files.push((path, lock));
    }
    if !check {
        files.iter().try_for_each(|(path, lock)| lock.write(path))?;
    }
    Ok(LockReport { locks })
}

fn lock_one(host: &Host, pipeline: &Pipeline, lock: &mut LockFile) -> Result<LockedPipeline, Error> {
    let file = file_name(pipeline);
    let plugins = steps(&pipeline.file, None).into_iter().map(|watched| {
        let step = watched.step;
        let plugin = host.load_plugin(&format!("{}.plugin", step.key), step.plugin, pipeline.folder())?;
        step.check_role(&plugin).map(|()| plugin)
    });
    let plugins = plugins.collect::<Result<Vec<_>, Error>>()?;
    let found = entries_of(host, pipeline, &file, plugins.iter())?;
    let pinned = lock.replace(&file, found.clone());
    let changes = compare::changes(&pinned, &found);
    let state = match (pinned.is_empty(), changes.is_empty()) {
        (true, _) => LockState::Added,
        (false, true) => LockState::Unchanged,
        (false, false) => LockState::Changed,
    };
    Ok(LockedPipeline { file, state, changes })
}

/// Whether a plugin of these bytes is what some lock file in the folder pins, and where; for people.
///
/// # Errors
/// [`Error::File`] for a malformed lock file.
pub fn pinned_in(folder: &Path, plugin: &str, digest: &str) -> Result<Vec<String>, Error> {
    let entries = LockFile::load(&folder.join(LOCK_FILE))?.unwrap_or_default().plugins;
    let same = |entry: &Entry| entry.sha256 == digest || (entry.plugin == plugin && entry.built_in);
    let word = |entry: Entry| {
        let kept = if same(&entry) { "" } else { ", with another digest" };
        format!("{} {}{kept}", entry.pipeline, entry.step)
    };
    let named = |entry: &Entry| same(entry) || same_path(&entry.plugin, plugin);
    Ok(entries.into_iter().filter(named).map(word).collect())
}

fn same_path(left: &str, right: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("./").unwrap_or(path).to_owned();
    plain(left) == plain(right)
}
