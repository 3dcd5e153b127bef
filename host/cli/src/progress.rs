//! Progress on standard error: a live line on a terminal, an occasional plain line elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use forcepump_pipeline::{Event, Observer, Phase, RunState};
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
    board: Mutex<Board>,
}

/// What is known of a run, and of each feed when there are several.
struct Board {
    run: State,
    /// those that began and have not ended, in that order
    feeds: Vec<(String, State)>,
    /// those that ended
    ended: u64,
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
    /// rows that were there when the first moved: those of an earlier process
    rows_before: u64,
    last_line: Option<Instant>,
}

impl Progress {
    /// Starts to show; `name` is the pipeline's.
    pub fn new(name: &str, output: Output) -> Self {
        let bar = (output.talks() && std::io::stderr().is_terminal()).then(|| live_line(name));
        let board = Board { run: State::new(), feeds: Vec::new(), ended: 0 };
        Self { name: clean(name), output, bar, board: Mutex::new(board) }
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

    /// A line about one state, of the run or of a feed; on a terminal the one line is about all.
    fn plain(&self, name: &str, state: &mut State, phase_changed: bool) {
        let now = Instant::now();
        let due = phase_changed || state.last_line.is_none_or(|last| now - last >= PLAIN_INTERVAL);
        if due && self.output.talks() && self.bar.is_none() {
            state.last_line = Some(now);
            self.output.note(&format!("{name}: {}", state.words(now)));
        }
    }

    /// Takes an event of the run, or of a feed of that name.
    fn take(&self, board: &mut Board, feed: Option<&str>, event: Event) {
        let name = feed.map_or_else(|| self.name.clone(), |feed| format!("{} {}", self.name, clean(feed)));
        match event {
            Event::PluginLog { plugin, level, message } if is_shown(level) => {
                let line = format!("{name}: {}: {}", clean(&plugin), clean(&message));
                return self.say(&line, matches!(level, "warn" | "error"));
            }
            Event::PluginLog { .. } => return,
            Event::Note(text) => return self.say(&format!("{name}: {text}"), false),
            Event::Warning(text) => return self.say(&format!("{name}: {text}"), true),
            Event::OfFeed { feed, event } => return self.take(board, Some(&feed), *event),
            Event::FeedEnded { state, written, error } => {
                board.end(feed);
                let why = error
                    .map_or_else(String::new, |error| format!(": {}", clean(error.lines().next().unwrap_or_default())));
                let is_bad = !matches!(state, RunState::Complete | RunState::CompleteWithRejects);
                self.say(&format!("{name}: {}, {} written{why}", state.word(), rows(written)), is_bad);
            }
            Event::UnitRetried { ref unit, ref reason, .. } => {
                let line = format!("{name}: trying unit {} again: {}", clean(unit), clean(reason));
                self.say(&line, true);
                board.state(feed).take(&event);
            }
            event => {
                let state = board.state(feed);
                let changed = state.take(&event);
                self.plain(&name, state, changed);
            }
        }
        if let Some(bar) = &self.bar {
            draw(bar, board);
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        self.take(&mut board, None, event);
    }
}

impl Board {
    fn state(&mut self, feed: Option<&str>) -> &mut State {
        let Some(feed) = feed else { return &mut self.run };
        let at = self.feeds.iter().position(|(name, _)| name == feed).unwrap_or_else(|| {
            self.feeds.push((feed.to_owned(), State::new()));
            self.feeds.len() - 1
        });
        &mut self.feeds[at].1
    }

    fn end(&mut self, feed: Option<&str>) {
        self.feeds.retain(|(name, _)| Some(name.as_str()) != feed);
        self.ended += 1;
    }

    /// The run in words, or its feeds.
    fn words(&self, now: Instant) -> String {
        if self.feeds.is_empty() && self.ended == 0 {
            return self.run.words(now);
        }
        let feeds = self.feeds.iter().map(|(name, state)| format!("{} {}", clean(name), state.words(now)));
        let ended = (self.ended > 0).then(|| format!("{} ended", several(self.ended, "feed")));
        feeds.chain(ended).collect::<Vec<_>>().join("; ")
    }
}

fn is_shown(level: &str) -> bool {
    matches!(level, "info" | "warn" | "error")
}

impl State {
    fn new() -> Self {
        Self {
            phase: Phase::Planning,
            job: None,
            announced: None,
            rows: 0,
            bytes: 0,
            units: 0,
            started: Instant::now(),
            moving_since: None,
            rows_before: 0,
            last_line: None,
        }
    }

    /// Counts the event; true when the phase changed.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Phase(phase) => {
                let changed = self.phase != *phase || self.last_line.is_none();
                self.phase = *phase;
                if *phase == Phase::Planning {
                    // It begins, or begins anew.
                    (self.rows, self.bytes, self.units, self.announced) = (0, 0, 0, None);
                }
                if *phase == Phase::Moving && self.moving_since.is_none() {
                    (self.moving_since, self.rows_before) = (Some(Instant::now()), self.rows);
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
            Event::WentOn { units } => self.units += units,
            Event::JobPolled { .. } | Event::PluginLog { .. } | Event::Note(_) | Event::Warning(_) => {}
            Event::OfFeed { .. } | Event::FeedEnded { .. } => {}
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
        let moved = self.rows.saturating_sub(self.rows_before);
        let rate = if moved == 0 { String::new() } else { format!(", {}", rate(moved, seconds)) };
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

fn draw(bar: &ProgressBar, board: &Board) {
    let state = &board.run;
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
    bar.set_message(board.words(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retried_unit_is_taken_back() {
        let mut state = State::new();
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
    fn rows_of_an_earlier_process_make_no_rate() {
        let mut state = State::new();
        state.take(&Event::Read { rows: 5_000, bytes: 2048 });
        state.take(&Event::WentOn { units: 3 });
        state.take(&Event::Phase(Phase::Moving));
        let since = state.moving_since.expect("moving");
        let figures = |state: &State| state.figures(since + Duration::from_secs(2));
        assert_eq!(figures(&state), "moving, 5,000 rows, 2.0 KiB, 3 units");
        state.take(&Event::Read { rows: 1_000, bytes: 0 });
        assert_eq!(figures(&state), "moving, 6,000 rows, 2.0 KiB, 3 units, 500 rows/s");
    }

    #[test]
    fn what_begins_anew_counts_from_nothing() {
        let mut state = State::new();
        state.take(&Event::Phase(Phase::Moving));
        state.take(&Event::Announced { rows: 40 });
        state.take(&Event::Read { rows: 15, bytes: 2048 });
        state.take(&Event::UnitCommitted { unit: "0".to_owned(), rows: 15 });
        state.take(&Event::Phase(Phase::Planning));
        assert_eq!((state.rows, state.bytes, state.units, state.announced), (0, 0, 0, None));
    }

    #[test]
    fn each_phase_has_words() {
        let mut state = State::new();
        state.take(&Event::Phase(Phase::Querying));
        state.take(&Event::JobCreated { id: "750\u{1b}".to_owned() });
        assert_eq!(state.words(Instant::now()), "querying, job 750\\u{1b}");
        state.take(&Event::Phase(Phase::Concluding));
        assert_eq!(state.words(Instant::now()), "concluding, 0 rows, 0 units");
    }

    #[test]
    fn several_feeds_are_one_line() {
        let mut board = Board { run: State::new(), feeds: Vec::new(), ended: 0 };
        assert_eq!(board.words(Instant::now()), "planning");
        board.state(Some("Account")).take(&Event::Phase(Phase::Querying));
        board.state(Some("Contact")).take(&Event::Announced { rows: 7 });
        board.state(Some("Contact")).take(&Event::Phase(Phase::Moving));
        assert_eq!(board.words(Instant::now()), "Account querying; Contact moving 7 rows");
        board.end(Some("Account"));
        assert_eq!(board.words(Instant::now()), "Contact moving 7 rows; 1 feed ended");
    }
}
