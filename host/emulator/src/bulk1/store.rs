//! Every Bulk 1.0 job of the org.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::job::{ClassicJobRecord, Job};
use crate::clock::Clock;
use crate::faults::JobFault;
use crate::ids::{id18, serial_of, short};
use crate::options::Options;

/// Key prefix of jobs, the same as that of Bulk 2.0 jobs.
const JOB_PREFIX: [u8; 3] = *b"750";
/// Seeds keep this distance; the upper half of it is ours, the lower half that of Bulk 2.0 jobs.
const SERIALS_A_SEED: u64 = 1_000_000;
const FIRST_OF_SEED: u64 = 500_000;
const SEEDS: u64 = 10_007;
/// Jobs and their results are kept so long (Bulk API guide, "Bulk API Limits").
const LIFE: TimeDelta = TimeDelta::days(7);

/// Numbers that have not been given out yet.
#[derive(Debug)]
pub(super) struct Serials {
    base: u64,
    jobs: u64,
    batches: u64,
}

impl Serials {
    fn next_job(&mut self) -> u64 {
        self.jobs += 1;
        self.base + self.jobs
    }

    pub(super) fn next_batch(&mut self) -> u64 {
        self.batches += 1;
        self.base + self.batches
    }
}

/// The jobs by serial number.
#[derive(Debug)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    serials: Serials,
    clock: Clock,
}

impl Jobs {
    pub(crate) fn new(seed: u64, clock: Clock) -> Jobs {
        let base = (seed % SEEDS) * SERIALS_A_SEED + FIRST_OF_SEED;
        Jobs { jobs: BTreeMap::new(), serials: Serials { base, jobs: 0, batches: 0 }, clock }
    }

    /// Every job, in the order of their creation.
    pub(crate) fn records(&self) -> Vec<ClassicJobRecord> {
        self.jobs.values().map(Job::record).collect()
    }

    /// Batches created so far, chunks included: each counts against the daily allowance.
    pub(crate) fn batches(&self) -> u64 {
        self.serials.batches
    }

    pub(super) fn serials(&mut self) -> &mut Serials {
        &mut self.serials
    }

    /// Keeps a new job and gives it its id.
    pub(super) fn insert(&mut self, mut job: Job) -> &mut Job {
        let serial = self.serials.next_job();
        job.id = id18(JOB_PREFIX, serial);
        self.jobs.entry(serial).insert_entry(job).into_mut()
    }

    /// The job with this id of 15 or 18 characters, after time has passed for it and it met `faults`; a `look` moves it.
    pub(super) fn find(&mut self, id: &str, options: &Options, faults: &[JobFault], look: bool) -> Option<&mut Job> {
        let job = self.jobs.get_mut(&serial_of(JOB_PREFIX, id)?)?;
        let now = self.clock.now();
        if short(&job.id) != short(id) || job.vanished || now - job.created > LIFE {
            return None;
        }
        for fault in faults {
            job.meet(fault, now);
        }
        job.pass_time(options, &mut self.serials, now);
        if look {
            job.look(options, &mut self.serials, now);
        }
        (!job.vanished).then_some(job)
    }

    /// Makes a job unknown; `false` when it is so already.
    pub(crate) fn lose(&mut self, id: &str) -> bool {
        let job = serial_of(JOB_PREFIX, id).and_then(|serial| self.jobs.get_mut(&serial)).filter(|job| !job.vanished);
        job.map(|job| job.vanished = true).is_some()
    }

    /// Jobs in the order of their creation.
    pub(super) fn living(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| !job.vanished)
    }
}
