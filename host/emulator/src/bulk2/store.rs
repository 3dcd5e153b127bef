//! Every job of the org, the deleted ones too so that tests can see them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::job::{Job, JobRecord};
use crate::clock::Clock;
use crate::faults::JobFault;
use crate::ids::{serial_of, short};
use crate::options::Options;

/// Key prefix of jobs.
pub(super) const JOB_PREFIX: [u8; 3] = *b"750";
/// Seeds keep this distance, so that two emulators do not hand out the same ids.
const SERIALS_A_SEED: u64 = 1_000_000;
/// Seeds beyond this share ids; a serial must fit the nine characters of an id, a thousand results a job with it.
const SEEDS: u64 = 10_007;
/// Jobs and their results are kept so long (Bulk API 2.0 guide, "Get Results for a Query Job").
const LIFE: TimeDelta = TimeDelta::days(7);

/// The jobs by serial number.
#[derive(Debug)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    first_serial: u64,
    created: u64,
    result_bytes: u64,
    clock: Clock,
}

impl Jobs {
    pub(crate) fn new(seed: u64, clock: Clock) -> Jobs {
        let first_serial = (seed % SEEDS) * SERIALS_A_SEED;
        Jobs { jobs: BTreeMap::new(), first_serial, created: 0, result_bytes: 0, clock }
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
        let now = self.clock.now();
        if short(&job.id) != short(id) || job.deleted || now - job.created > LIFE {
            return None;
        }
        job.pass_time(options, now);
        for fault in faults {
            job.meet(fault, true, now);
        }
        (!job.deleted).then_some(job)
    }

    /// Makes a job unknown; `false` when it is so already.
    pub(crate) fn lose(&mut self, id: &str) -> bool {
        let job = serial_of(JOB_PREFIX, id).and_then(|serial| self.jobs.get_mut(&serial)).filter(|job| !job.deleted);
        job.map(|job| job.deleted = true).is_some()
    }

    /// Living jobs in the order of their creation.
    pub(super) fn living(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| !job.deleted)
    }
}
