//! Log lines and metrics of plugins: cut, stripped, rate-limited, and every drop counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::description::{Description, MetricKind};
use crate::grants::Settings;
use crate::limits::Limits;
use crate::rates::Rates;
use crate::text::clean;

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the author of the plugin.
    Debug,
    /// For the operator.
    Info,
    /// Something is odd.
    Warn,
    /// Something went wrong.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        })
    }
}

/// One line that a plugin logged, cut and stripped of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Name of the plugin, as the pipeline gave it.
    pub plugin: String,
    /// How grave it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Names and values beside the text.
    pub fields: Vec<(String, String)>,
}

/// Where the log lines of plugins go. Called within a call of the plugin: must not block.
pub trait LogSink: Send + Sync {
    /// Whether lines of that level are wanted at all.
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Info
    }
    /// Takes one line.
    fn line(&self, line: LogLine);
}

/// A sink that wants nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn enabled(&self, _level: Level) -> bool {
        false
    }
    fn line(&self, _line: LogLine) {}
}

/// What one metric came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// Sum of all additions.
    Counter(u64),
    /// Last value.
    Gauge(f64),
    /// Count, sum, least and greatest of all observations.
    Histogram {
        /// Number of observations.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
}

/// What an instance did beside its results.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    /// Log lines that reached the sink.
    pub log_lines: u64,
    /// Log lines over the rate.
    pub log_dropped: u64,
    /// Requests over HTTP that were handed to the provider.
    pub http_calls: u64,
    /// Requests over HTTP that were answered with `throttled`.
    pub http_throttled: u64,
    /// Metric calls with an undeclared name, another kind, or a value that is no number.
    pub metrics_dropped: u64,
    /// Declared metrics that were touched, by name.
    pub metrics: BTreeMap<String, MetricValue>,
}

impl Counters {
    /// What was dropped or put off, a sentence for each kind with its limit; empty when nothing was.
    #[must_use]
    pub fn losses(&self, limits: &Limits) -> Vec<String> {
        let mut losses = Vec::new();
        if self.log_dropped > 0 {
            let (dropped, rate) = (self.log_dropped, limits.log_lines_per_second);
            losses.push(format!(
                "{dropped} log lines were dropped, more than {rate} a second (limits.log_lines_per_second = {rate})"
            ));
        }
        if self.http_throttled > 0 {
            let (throttled, rate) = (self.http_throttled, limits.http_calls_per_second);
            losses.push(format!(
                "{throttled} requests were put off, more than {rate} a second (limits.http_calls_per_second = {rate})"
            ));
        }
        if self.metrics_dropped > 0 {
            let dropped = self.metrics_dropped;
            losses.push(format!("{dropped} amounts of metrics were dropped that the plugin did not declare"));
        }
        losses
    }
}

/// The way of an instance's lines to the sink: one gate for what it logs and what it prints.
pub(crate) struct LogPort {
    plugin: Arc<str>,
    sink: Arc<dyn LogSink>,
    line_bytes: usize,
    per_second: u32,
    rates: Arc<Rates>,
    lines: AtomicU64,
    dropped: AtomicU64,
}

impl LogPort {
    pub(crate) fn new(plugin: &Arc<str>, settings: &Settings) -> Self {
        LogPort {
            plugin: Arc::clone(plugin),
            sink: Arc::clone(&settings.log),
            line_bytes: settings.limits.log_line_bytes,
            per_second: settings.limits.log_lines_per_second,
            rates: Arc::clone(&settings.rates),
            lines: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether lines of that level are wanted.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        self.sink.enabled(level)
    }

    /// Bytes of a line with its fields; the rest is cut.
    pub(crate) fn line_bytes(&self) -> usize {
        self.line_bytes
    }

    /// Cuts, cleans and sends a line on, or counts it as dropped.
    pub(crate) fn line(&self, level: Level, message: &str, fields: &[(String, String)]) {
        if !self.enabled(level) {
            return;
        }
        if !self.rates.line(self.per_second) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (message, fields) = cut_line(message, fields, self.line_bytes);
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.sink.line(LogLine { plugin: self.plugin.to_string(), level, message, fields });
    }

    /// Lines that were sent on, and lines that were dropped.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.lines.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }
}

/// Lets lines through at a rate, with a burst of one second's worth.
#[derive(Debug)]
pub(crate) struct LogGate {
    per_second: u32,
    left: u32,
    window: Instant,
}

impl LogGate {
    pub(crate) fn new(per_second: u32) -> Self {
        LogGate { per_second, left: per_second, window: Instant::now() }
    }

    /// Whether one more line may pass now.
    pub(crate) fn admit(&mut self) -> bool {
        if self.left == 0 && self.window.elapsed().as_secs() >= 1 {
            self.left = self.per_second;
            self.window = Instant::now();
        }
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }
}

/// Cuts a line and its fields to `max_bytes` in all.
pub(crate) fn cut_line(
    message: &str,
    fields: &[(String, String)],
    max_bytes: usize,
) -> (String, Vec<(String, String)>) {
    let message = clean(message, max_bytes);
    let mut left = max_bytes - message.len();
    let mut cut = Vec::new();
    for (name, value) in fields {
        if left == 0 {
            break;
        }
        let name = clean(name, left);
        let value = clean(value, left - name.len());
        // A field costs at least one byte, or empty ones would be without bound.
        left -= (name.len() + value.len()).clamp(1, left);
        cut.push((name, value));
    }
    (message, cut)
}

/// The declared metrics of one instance.
#[derive(Debug)]
pub(crate) struct Metrics {
    declared: BTreeMap<String, MetricKind>,
}

impl Metrics {
    pub(crate) fn new(description: &Description) -> Self {
        let declared = description.metrics.iter().map(|metric| (metric.name.clone(), metric.kind));
        Metrics { declared: declared.collect() }
    }

    fn is(&self, name: &str, kind: MetricKind) -> bool {
        self.declared.get(name) == Some(&kind)
    }

    pub(crate) fn add(&self, counters: &mut Counters, name: &str, amount: u64) {
        if !self.is(name, MetricKind::Counter) {
            counters.metrics_dropped += 1;
            return;
        }
        let old = match counters.metrics.get(name) {
            Some(MetricValue::Counter(old)) => *old,
            _ => 0,
        };
        let new = MetricValue::Counter(old.saturating_add(amount));
        counters.metrics.insert(name.to_owned(), new);
    }

    pub(crate) fn set(&self, counters: &mut Counters, name: &str, amount: f64) {
        if !self.is(name, MetricKind::Gauge) || !amount.is_finite() {
            counters.metrics_dropped += 1;
            return;
        }
        counters.metrics.insert(name.to_owned(), MetricValue::Gauge(amount));
    }

    pub(crate) fn observe(&self, counters: &mut Counters, name: &str, amount: f64) {
        if !self.is(name, MetricKind::Histogram) || !amount.is_finite() {
            counters.metrics_dropped += 1;
            return;
        }
        let new = match counters.metrics.get(name) {
            Some(MetricValue::Histogram { count, sum, min, max }) => MetricValue::Histogram {
                count: count + 1,
                sum: sum + amount,
                min: min.min(amount),
                max: max.max(amount),
            },
            _ => MetricValue::Histogram { count: 1, sum: amount, min: amount, max: amount },
        };
        counters.metrics.insert(name.to_owned(), new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_lets_a_burst_through_and_no_more() {
        let mut gate = LogGate::new(3);
        let admitted = (0..10).filter(|_| gate.admit()).count();
        assert_eq!(admitted, 3);
    }

    #[test]
    fn losses_are_told_with_their_rate() {
        assert!(Counters::default().losses(&Limits::default()).is_empty());
        let counters = Counters { log_dropped: 7, http_throttled: 2, ..Counters::default() };
        let losses = counters.losses(&Limits::default());
        assert_eq!(losses[0], "7 log lines were dropped, more than 100 a second (limits.log_lines_per_second = 100)");
        assert!(losses[1].ends_with("(limits.http_calls_per_second = 10)"), "{}", losses[1]);
    }

    #[test]
    fn a_line_and_its_fields_share_one_budget() {
        let fields = vec![("name".to_owned(), "v".repeat(100)), ("late".to_owned(), "x".to_owned())];
        let (message, fields) = cut_line("mess\u{7}age", &fields, 17);
        assert_eq!(message, "message");
        assert_eq!(fields, [("name".to_owned(), "vvvvvv".to_owned())]);
    }

    #[test]
    fn empty_fields_are_bounded_too() {
        let fields = vec![(String::new(), String::new()); 1000];
        assert_eq!(cut_line("", &fields, 8).1.len(), 8);
    }
}
