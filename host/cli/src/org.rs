//! The embedded emulator as an org: what `environment = "demo"` and the `demo` command talk to.

use forcepump_emulator::{Emulator, Options};
use forcepump_pipeline::DemoAccess;

use crate::exit::Failure;

/// A running demo org; it ends when this is dropped.
pub struct DemoOrg(Emulator);

impl DemoOrg {
    /// Starts it on a free loopback port with the demo data.
    pub async fn start() -> Result<Self, Failure> {
        Ok(Self(start(Options::default()).await?))
    }

    /// The address and the way in.
    pub fn access(&self) -> DemoAccess {
        let credentials = self.0.credentials();
        DemoAccess {
            url: credentials.instance_url.clone(),
            client_id: credentials.client_id.clone(),
            client_secret: credentials.client_secret.clone(),
        }
    }
}

/// Starts an emulator; every option that cannot be used is wrong input.
pub async fn start(options: Options) -> Result<Emulator, Failure> {
    Emulator::start(options).await.map_err(|error| Failure::input(error.to_string()))
}
