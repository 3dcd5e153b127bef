//! What the file destinations share: one file a unit, encoded by the host, and a manifest at the end.
//!
//! All of them take the same configuration, so that a pipeline goes from one format to another by
//! one word. The file names carry run and unit: a unit that is written twice replaces its own file
//! and no other. Which files count is said by the manifest, which stands only when the run is
//! complete; in the mode `overwrite` the host then removes what older manifests of the folder named.

mod config;
mod manifest;
mod name;

use config::Settings;
use forcepump_plugin_sdk::files::{Compression, Format, Sink};
use forcepump_plugin_sdk::{
    Batch, Description, Destination, Ending, Plan, PluginError, Target, WriteMode, WriteOutcome,
};
use manifest::Entry;
use std::marker::PhantomData;

/// The granted root that the files go under.
pub const ROOT: &str = "out";

/// What tells one file format from another.
pub trait FileFormat: 'static {
    /// Short name of the plugin.
    const NAME: &'static str;
    /// One line for people.
    const SUMMARY: &'static str;
    /// End of the file names.
    const EXTENSION: &'static str;
    /// Who encodes it.
    const FORMAT: Format;
    /// The compressions by the names that the configuration has for them, the default first.
    const COMPRESSIONS: &'static [(&'static str, Compression)];
    /// Whether compression is inside of the file and does not show in its name.
    const COMPRESSED_INSIDE: bool;
}

/// A destination for files of one format; the value is one unit.
#[derive(Debug)]
pub struct FileDestination<F> {
    path: String,
    compression: Compression,
    sink: Option<Sink>,
    format: PhantomData<F>,
}

impl<F: FileFormat> Destination for FileDestination<F> {
    fn describe() -> Description {
        Description::new(F::NAME, env!("CARGO_PKG_VERSION"), F::SUMMARY)
            .config_schema(config::json_schema::<F>())
            .needs("files", ROOT, "the folder that the files go into")
    }

    fn prepare(target: &Target) -> Result<Plan, PluginError> {
        Settings::parse::<F>(target)?;
        if target.input.fields.is_empty() {
            return Err(PluginError::schema("there is no column to write"));
        }
        match target.mode {
            WriteMode::Append | WriteMode::Overwrite => Ok(Plan::one_lane()),
            _ => Err(PluginError::config(
                "",
                format!(
                    "{} files cannot be changed row by row; use mode \"append\" or \"overwrite\", \
                     or a database such as sqlite for merge, update and delete",
                    F::NAME
                ),
            )),
        }
    }

    fn begin(target: &Target, unit: &str) -> Result<Self, PluginError> {
        let settings = Settings::parse::<F>(target)?;
        Ok(FileDestination {
            path: settings.unit_path::<F>(&target.run_id, unit),
            compression: settings.compression,
            sink: None,
            format: PhantomData,
        })
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError> {
        // Opened by the first batch: without one there is no schema, and so no file.
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => Sink::create(ROOT, &self.path, F::FORMAT, self.compression)?,
        };
        sink.write_batch(batch.handle())?;
        self.sink = Some(sink);
        Ok(WriteOutcome::Accepted)
    }

    fn commit(&mut self) -> Result<String, PluginError> {
        match self.sink.take() {
            Some(sink) => Entry::from(Sink::finish(sink)?).to_token(),
            None => Ok(String::new()),
        }
    }

    fn conclude(target: &Target, how: Ending, tokens: &[String]) -> Result<(), PluginError> {
        if how != Ending::Complete {
            // Without a manifest, what was written does not count.
            return Ok(());
        }
        let settings = Settings::parse::<F>(target)?;
        let manifest = manifest::text::<F>(target, &settings, tokens)?;
        let sink = Sink::create(ROOT, &settings.manifest_path(target), Format::Raw, Compression::None)?;
        sink.write(manifest.as_bytes())?;
        Sink::finish(sink)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
