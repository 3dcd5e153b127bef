//! Progress on standard error: a live line on a terminal, an occasional plain line elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use forcepump_pipeline::{Event, Observer, Phase};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, clean};
use crate::render::numbers::{bytes, count, rate, rows, several};

/// Shortest time between two plain lines of the same phase.
const PLAIN_INTERVAL: Duration = Duration::from_secs(2);
/// Redraw of the live line when nothing happens, so that the spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Shows the events of one run.
pub struct Progress {
    name: String,
    output: Output,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    job: Option<String>,
    announced: Option<u64>,
    rows: u64,
    bytes: u64,
    units: u64,
    started: Instant,
    moving_since: Option<Instant>,
    last_line: Option<Instant>,
}

impl Progress {
    /// Starts to show; `name` is the pipeline's.
    pub fn new(name: &str, output: Output) -> Self {
        let bar = (output.talks() && std::io::stderr().is_terminal()).then(|| live_line(name));
        let now = Instant::now();
        let state = State {
            phase: Phase::Planning,
            job: None,
            announced: None,
            rows: 0,
            bytes: 0,
            units: 0,
            started: now,
            moving_since: None,
            last_line: None,
        };
        Self { name: clean(name), output, bar, state: Mutex::new(state) }
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str, is_warning: bool) {
        let print = || if is_warning { self.output.warning(line) } else { self.output.note(line) };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn show(&self, state: &mut State, phase_changed: bool) {
        if let Some(bar) = &self.bar {
            return draw(bar, state);
        }
        let now = Instant::now();
        let due = phase_changed || state.last_line.is_none_or(|last| now - last >= PLAIN_INTERVAL);
        if due && self.output.talks() {
            state.last_line = Some(now);
            self.output.note(&format!("{}: {}", self.name, state.words(now)));
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PluginLog { plugin, level, message } if is_shown(level) => {
                let line = format!("{}: {}: {}", self.name, clean(&plugin), clean(&message));
                self.say(&line, matches!(level, "warn" | "error"));
            }
            Event::PluginLog { .. } => {}
            Event::Note(text) => self.say(&format!("{}: {text}", self.name), false),
            Event::Warning(text) => self.say(&format!("{}: {text}", self.name), true),
            Event::UnitRetried { ref unit, ref reason, .. } => {
                let line = format!("{}: trying unit {} again: {}", self.name, clean(unit), clean(reason));
                self.say(&line, true);
                state.take(&event);
            }
            event => {
                let changed = state.take(&event);
                self.show(&mut state, changed);
            }
        }
    }
}

fn is_shown(level: &str) -> bool {
    matches!(level, "info" | "warn" | "error")
}

impl State {
    /// Counts the event; true when the phase changed.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Phase(phase) => {
                let changed = self.phase != *phase || self.last_line.is_none();
                self.phase = *phase;
                if *phase == Phase::Moving {
                    self.moving_since.get_or_insert_with(Instant::now);
                }
                return changed;
            }
            Event::JobCreated { id } => self.job = Some(clean(id)),
            Event::Announced { rows } => self.announced = Some(*rows),
            Event::Read { rows, bytes } => {
                self.rows += rows;
                self.bytes += bytes;
            }
            Event::UnitRetried { rows, bytes, .. } => {
                self.rows = self.rows.saturating_sub(*rows);
                self.bytes = self.bytes.saturating_sub(*bytes);
            }
            Event::UnitCommitted { .. } => self.units += 1,
            Event::JobPolled { .. } | Event::PluginLog { .. } | Event::Note(_) | Event::Warning(_) => {}
        }
        false
    }

    fn words(&self, now: Instant) -> String {
        match self.phase {
            Phase::Planning => "planning".to_owned(),
            Phase::Querying => match &self.job {
                Some(job) => format!("querying, job {job}"),
                None => "querying".to_owned(),
            },
            Phase::Moving => self.figures(now),
            Phase::Concluding => format!("concluding, {}, {}", rows(self.rows), several(self.units, "unit")),
        }
    }

    fn figures(&self, now: Instant) -> String {
        if let (0, Some(rows)) = (self.rows, self.announced) {
            return format!("moving {}", several(rows, "row"));
        }
        let of = self.announced.map_or(String::new(), |rows| format!(" of {}", count(rows)));
        let seconds = (now - self.moving_since.unwrap_or(self.started)).as_secs_f64();
        let rate = if self.rows == 0 { String::new() } else { format!(", {}", rate(self.rows, seconds)) };
        let units = several(self.units, "unit");
        format!("moving, {}{of} rows, {}, {units}{rate}", count(self.rows), bytes(self.bytes))
    }
}

fn live_line(name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_prefix(clean(name));
    bar.set_style(spinner());
    bar.enable_steady_tick(TICK);
    bar
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn with_length() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} [{bar:24}] {percent:>3}% {wide_msg}")
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

fn draw(bar: &ProgressBar, state: &State) {
    match state.announced {
        Some(rows) if state.phase == Phase::Moving && rows > 0 => {
            if bar.length() != Some(rows) {
                bar.set_length(rows);
                bar.set_style(with_length());
            }
            bar.set_position(state.rows.min(rows));
        }
        _ => {
            bar.set_style(spinner());
            bar.unset_length();
        }
    }
    bar.set_message(state.words(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            phase: Phase::Planning,
            job: None,
            announced: None,
            rows: 0,
            bytes: 0,
            units: 0,
            started: Instant::now(),
            moving_since: None,
            last_line: None,
        }
    }

    #[test]
    fn a_retried_unit_is_taken_back() {
        let mut state = state();
        assert!(state.take(&Event::Phase(Phase::Moving)));
        state.take(&Event::Announced { rows: 2000 });
        state.take(&Event::Read { rows: 1500, bytes: 2048 });
        state.take(&Event::UnitRetried { unit: "1".to_owned(), rows: 500, bytes: 1024, reason: String::new() });
        state.take(&Event::UnitCommitted { unit: "0".to_owned(), rows: 1000 });
        let since = state.moving_since.expect("moving");
        assert_eq!(
            state.figures(since + Duration::from_secs(2)),
            "moving, 1,000 of 2,000 rows, 1.0 KiB, 1 unit, 500 rows/s"
        );
    }

    #[test]
    fn each_phase_has_words() {
        let mut state = state();
        state.take(&Event::Phase(Phase::Querying));
        state.take(&Event::JobCreated { id: "750\u{1b}".to_owned() });
        assert_eq!(state.words(Instant::now()), "querying, job 750\\u{1b}");
        state.take(&Event::Phase(Phase::Concluding));
        assert_eq!(state.words(Instant::now()), "concluding, 0 rows, 0 units");
    }
}
