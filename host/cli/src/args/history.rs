//! What `runs`, `show` and `resume` take, and `--set`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use forcepump_pipeline::file::DriftPolicy;

/// Runs that `runs` lists when `-n` is not given.
const DEFAULT_RUNS: usize = 20;

/// Variables given on the command line.
#[derive(Debug, Clone, Args)]
pub struct SetArgs {
    /// Value of a variable, in the place of the pipeline file's expression; can be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,
    /// What becomes of fields that are gone, new or of another type since the last whole run, in the place of the pipeline
    /// file's word [possible values: add, ignore, fail]
    #[arg(long, value_name = "POLICY", value_parser = parse_drift)]
    pub drift: Option<DriftPolicy>,
}

impl SetArgs {
    /// By name; of a name given twice the last value counts.
    pub fn values(&self) -> BTreeMap<String, String> {
        self.set.iter().cloned().collect()
    }
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only runs of this pipeline, by its name
    #[arg(value_name = "PIPELINE")]
    pub pipeline: Option<String>,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
    /// Runs to list, the newest first
    #[arg(short = 'n', long = "runs", value_name = "N", default_value_t = DEFAULT_RUNS, value_parser = parse_most)]
    pub most: usize,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Run id, as the run's summary names it, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// List its units: the counts of each, and the hashes of its rows
    #[arg(long)]
    pub units: bool,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Run id, as the run's summary names it, or `latest`, the newest one that is unfinished
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
}

fn parse_drift(text: &str) -> Result<DriftPolicy, String> {
    match text {
        "add" => Ok(DriftPolicy::Add),
        "ignore" => Ok(DriftPolicy::Ignore),
        "fail" => Ok(DriftPolicy::Fail),
        _ => Err("expected add, ignore or fail".to_owned()),
    }
}

fn parse_most(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(most) if most > 0 => Ok(most),
        _ => Err("expected a number of runs, 1 or more".to_owned()),
    }
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("`{text}` must be NAME=VALUE, for example since=2024-01-01T00:00:00Z"))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_at_least_one_run() {
        assert_eq!(parse_most("3"), Ok(3));
        for wrong in ["0", "-1", "x", ""] {
            assert!(parse_most(wrong).is_err_and(|text| text.contains("1 or more")), "{wrong}");
        }
    }

    #[test]
    fn a_value_may_hold_equal_signs_and_be_empty() {
        assert_eq!(parse_set("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_set("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_set("a").is_err() && parse_set("=b").is_err_and(|text| text.contains("NAME=VALUE")));
    }
}
