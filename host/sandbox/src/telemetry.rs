//! Log lines and metrics of plugins: cut, stripped, rate-limited, and every drop counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use crate::description::{Description, MetricKind};
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
    /// Metric calls with an undeclared name, another kind, or a value that is no number.
    pub metrics_dropped: u64,
    /// Declared metrics that were touched, by name.
    pub metrics: BTreeMap<String, MetricValue>,
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
