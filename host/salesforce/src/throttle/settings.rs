//! How much of an org runs may take, as written in the connections file.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

/// Requests a second when nothing is said: ten at once that take a tenth of a second each.
pub(crate) const DEFAULT_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Requests at the same time when nothing is said. Salesforce refuses more than 25 long ones at once (5 in Developer
/// orgs; "API Request Limits and Allocations"), which are everybody's.
pub(crate) const DEFAULT_CONCURRENCY: usize = 10;
/// Share of the daily API calls when nothing is said: the other half is for people.
const DEFAULT_DAILY_SHARE: f64 = 0.5;

/// How hard one org is asked. All connections of a process that lead to one org share the strictest of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// requests a second at most, default 100
    pub requests_per_second: Option<NonZeroU32>,
    /// requests at the same time at most, default 10; result pages count until their body begins; halved for a while when the org refuses so many
    pub concurrency: Option<NonZeroU32>,
    /// part of the org's API calls of 24 hours up to which runs go on, default 0.5: calls of others count too
    #[schemars(with = "Option<f64>", range(min = 0.0, max = 1.0))]
    pub daily_share: Option<Share>,
}

/// More than nothing, and the whole at most.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

impl Share {
    /// As a fraction.
    #[must_use]
    pub fn fraction(self) -> f64 {
        self.0
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(DEFAULT_DAILY_SHARE)
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        match value > 0.0 && value <= 1.0 {
            true => Ok(Self(value)),
            false => {
                Err(format!("{value} is no share: expected more than 0 and at most 1, for example 0.5 for half of it"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_fractions() {
        let settings: LimitSettings = toml::from_str("requests_per_second = 5\ndaily_share = 0.25").unwrap();
        assert_eq!(settings.daily_share.map(Share::fraction), Some(0.25));
        for wrong in ["daily_share = 0.0", "daily_share = 50.0", "daily_share = nan", "concurrency = 0", "per_day = 1"]
        {
            assert!(toml::from_str::<LimitSettings>(wrong).is_err(), "{wrong}");
        }
        let text = toml::from_str::<LimitSettings>("daily_share = 50.0").unwrap_err().to_string();
        assert!(text.contains("at most 1"), "{text}");
        assert!(toml::from_str::<LimitSettings>("daily_share = 1").is_ok(), "a whole number is a number");
    }
}
