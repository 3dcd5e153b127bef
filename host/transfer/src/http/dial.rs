//! Names to addresses, each of them checked before it is dialled.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve};

use super::address::Reach;

/// More addresses of one name are not tried.
const ADDRESSES_MAX_COUNT: usize = 16;

/// A lookup under way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks names up. Its answers are not trusted: each address is checked before it is dialled.
pub trait Resolver: Send + Sync {
    /// The addresses of `name`.
    fn resolve(&self, name: &str) -> Resolving;
}

/// What the operating system knows.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> Resolving {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why nothing was dialled. The texts stay within this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the name has no address")]
    Unknown,
    #[error("the name has no address that is granted")]
    Refused,
}

/// Hands only those addresses on that a reach admits. What it hands on is what is dialled.
pub(crate) struct Checked {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) reach: Reach,
}

impl Checked {
    async fn look_up(lookup: Resolving, reach: Reach) -> Result<Vec<SocketAddr>, DialError> {
        let found = lookup.await.map_err(|_| DialError::Unknown)?;
        if found.is_empty() {
            return Err(DialError::Unknown);
        }
        let admitted = found.into_iter().filter(|address| reach.admits(*address)).take(ADDRESSES_MAX_COUNT);
        let admitted: Vec<SocketAddr> = admitted.map(|address| SocketAddr::new(address, 0)).collect();
        if admitted.is_empty() { Err(DialError::Refused) } else { Ok(admitted) }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> reqwest::dns::Resolving {
        let lookup = self.resolver.resolve(name.as_str());
        let reach = self.reach;
        Box::pin(async move {
            let admitted = Self::look_up(lookup, reach).await?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Gives its answers one after the other.
    struct Script(Mutex<Vec<Vec<IpAddr>>>);

    impl Resolver for Script {
        fn resolve(&self, _: &str) -> Resolving {
            let answer = self.0.lock().unwrap().remove(0);
            Box::pin(async move { Ok(answer) })
        }
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Without the outside world: the resolver as the HTTP library calls it.
    #[tokio::test]
    async fn a_name_that_turns_to_loopback_is_refused_at_its_next_dial() {
        let answers = [&["1.1.1.1"][..], &["127.0.0.1"], &["169.254.169.254", "1.1.1.1", "::1"], &[]];
        let script = Arc::new(Script(Mutex::new(answers.iter().map(|a| ips(a)).collect())));
        let checked = Checked { resolver: script, reach: Reach::Public };
        let mut seen = Vec::new();
        for _ in 0..answers.len() {
            let answer = Resolve::resolve(&checked, "rebind.example".parse().unwrap()).await;
            seen.push(match answer {
                Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect::<Vec<_>>()),
                Err(error) => Err(*error.downcast_ref::<DialError>().unwrap()),
            });
        }
        let public = Ok(ips(&["1.1.1.1"]));
        assert_eq!(seen, [public.clone(), Err(DialError::Refused), public, Err(DialError::Unknown)]);
    }
}
