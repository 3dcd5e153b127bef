//! Every job of the org, the deleted ones too so that tests can see them.

use std::collections::BTreeMap;

use chrono::Utc;

use super::job::{Job, JobRecord};
use crate::faults::JobFault;
use crate::ids::{serial_of, short};
use crate::options::Options;

/// Key prefix of jobs.
pub(super) const JOB_PREFIX: [u8; 3] = *b"750";
/// Seeds keep this distance, so that two emulators do not hand out the same ids.
const SERIALS_A_SEED: u64 = 1_000_000;
/// Seeds beyond this share ids; a serial must fit the nine characters of an id, a thousand results a job with it.
const SEEDS: u64 = 10_007;

/// The jobs by serial number.
#[derive(Debug)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    first_serial: u64,
    created: u64,
    result_bytes: u64,
}

impl Jobs {
    pub(crate) fn new(seed: u64) -> Jobs {
        Jobs { jobs: BTreeMap::new(), first_serial: (seed % SEEDS) * SERIALS_A_SEED, created: 0, result_bytes: 0 }
    }

    /// Jobs created so far.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    /// Kilobytes of results made so far.
    pub(crate) fn result_kb(&self) -> u64 {
        self.result_bytes / 1_024
    }

    pub(super) fn add_result(&mut self, bytes: u64) {
        self.result_bytes = self.result_bytes.saturating_add(bytes);
    }

    /// Every job, in the order of their creation.
    pub(crate) fn records(&self) -> Vec<JobRecord> {
        self.jobs.values().map(Job::record).collect()
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.created += 1;
        self.first_serial + self.created
    }

    pub(super) fn insert(&mut self, serial: u64, job: Job) -> &Job {
        self.jobs.entry(serial).insert_entry(job).into_mut()
    }

    /// The living job with this id of 15 or 18 characters, after time has passed for it and it met `faults`.
    pub(super) fn find(&mut self, id: &str, options: &Options, faults: &[JobFault]) -> Option<&mut Job> {
        let job = self.jobs.get_mut(&serial_of(JOB_PREFIX, id)?)?;
        if short(&job.id) != short(id) || job.deleted {
            return None;
        }
        let now = Utc::now();
        job.pass_time(options, now);
        for fault in faults {
            job.meet(fault, true, now);
        }
        (!job.deleted).then_some(job)
    }

    /// Living jobs in the order of their creation.
    pub(super) fn living(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| !job.deleted)
    }
}
