//! One connection's entry in the store while it is being changed.

use secrecy::zeroize::Zeroizing;

use super::disk::{self, Aside, Lock};
use super::kept::Kept;
use super::{Place, TokenStore, cannot, entry, file_name, seal};
use crate::error::{Error, Result};

/// Changed by nobody else until this is dropped.
pub(crate) struct Locked {
    store: TokenStore,
    name: String,
    aside: Option<Aside>,
    _lock: Option<Lock>,
}

impl Locked {
    pub(super) fn new(store: TokenStore, name: &str, lock: Option<Lock>) -> Self {
        Self { store, name: name.to_owned(), aside: None, _lock: lock }
    }

    pub(crate) fn kept(&self) -> Result<Kept> {
        self.store.read(&self.name)
    }

    /// Finds the key and opens the new file: called before a token is at stake that could not be kept.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        if let Place::Folder { folder, .. } = &*self.store.place {
            self.store.key()?;
            let path = folder.join(file_name(&self.name));
            self.aside = Some(Aside::open(&path).map_err(|error| cannot("write", &path, &error))?);
        }
        Ok(())
    }

    /// A process that was about to replace it was killed: an answer of the org may be lost.
    pub(crate) fn is_after_a_crash(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.after_a_crash)
    }

    /// Replaces what is kept; it is on the disk when this returns.
    pub(crate) fn save(&mut self, kept: &Kept) -> Result<()> {
        let kept = self.without_tried(kept.clone())?;
        match &*self.store.place {
            Place::Memory(all) => {
                entry(all).insert(self.name.clone(), kept);
                Ok(())
            }
            Place::Folder { folder, .. } => {
                let path = folder.join(file_name(&self.name));
                if self.aside.is_none() {
                    self.prepare()?;
                }
                let (key, _) = self.store.key()?;
                let content = Zeroizing::new(kept.to_bytes());
                let sealed = seal::seal(key, &self.name, &content)
                    .ok_or_else(|| Error::config("this system has no random bytes to seal a token with"))?;
                let aside = self.aside.take().ok_or_else(|| Error::config("the token file is not open"))?;
                aside.replace(&sealed).map_err(|error| cannot("write", &path, &error))
            }
        }
    }

    /// Secrets that are only tried stay with those who try them; under their keys stands what stood there.
    fn without_tried(&self, mut kept: Kept) -> Result<Kept> {
        let Some(typed) = &self.store.typed else { return Ok(kept) };
        let mut before = self.store.read_kept(&self.name)?.secrets;
        for (key, tried) in entry(typed).iter_mut() {
            if let Some(new) = kept.secrets.remove(key) {
                *tried = new;
            }
            if let Some(old) = before.remove(key) {
                kept.secrets.insert(key.clone(), old);
            }
        }
        Ok(kept)
    }

    pub(crate) fn remove(&mut self) -> Result<bool> {
        match &*self.store.place {
            Place::Memory(all) => Ok(entry(all).remove(&self.name).is_some()),
            Place::Folder { folder, .. } => {
                let path = folder.join(file_name(&self.name));
                disk::remove(&path).map_err(|error| cannot("remove", &path, &error))
            }
        }
    }
}
