//! Sends rows as JSON to a granted origin.
//!
//! HTTP has no transaction: what a server has answered is not taken back when the unit fails later. A unit that is
//! tried again sends its requests again, under the same idempotency keys.

mod config;
mod rows;
mod unit;

use config::Settings;
use forcepump_plugin_sdk::{
    Batch, Description, Destination, MetricKind, Plan, PluginError, Target, WriteOutcome, export_destination,
};
use unit::Unit;

/// The name by which the plugin asks for an origin.
const ORIGIN: &str = "api";
/// Counts requests that were answered with 2xx.
const REQUESTS_METRIC: &str = "requests";

/// A destination behind one URL; the value is one unit.
#[derive(Debug)]
pub struct Http {
    unit: Unit,
}

impl Destination for Http {
    fn describe() -> Description {
        Description::new("http", env!("CARGO_PKG_VERSION"), "sends rows as JSON to a granted origin")
            .config_schema(include_str!("../config.schema.json"))
            .needs("http", ORIGIN, "the origin that the rows are sent to")
            .metric(REQUESTS_METRIC, MetricKind::Counter, "1", "requests that were answered with 2xx")
    }

    fn prepare(target: &Target) -> Result<Plan, PluginError> {
        let settings = Settings::parse(target)?;
        Ok(Plan { preferred_rows: settings.rows_per_request, ..Plan::one_lane() })
    }

    fn begin(target: &Target, unit: &str) -> Result<Self, PluginError> {
        Ok(Http { unit: Unit::new(target, Settings::parse(target)?, unit) })
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError> {
        self.unit.write(batch)
    }

    fn commit(&mut self) -> Result<String, PluginError> {
        Ok(self.unit.summary())
    }
}

export_destination!(Http);

#[cfg(test)]
mod tests;
