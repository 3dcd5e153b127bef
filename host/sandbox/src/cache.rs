//! Compiled components on disk, in a folder that only this user can enter.
//!
//! Deserialising a file runs what is in it, so a file is taken only when the folder and the file
//! belong to this user, nobody else can write them, and the content has the digest that was
//! recorded when it was written. Whoever has this user's rights needs no cache to run code.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

/// First bytes of a cache file; the digest of the rest follows.
const MAGIC: &[u8; 16] = b"forcepump-cwasm1";
/// Bytes before the compiled component.
const HEADER_BYTES: usize = MAGIC.len() + 32;
/// Mode bits by which somebody else could write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bits by which somebody else could do anything.
const OTHERS_ANY: u32 = 0o077;

/// A private folder of compiled components.
#[derive(Debug)]
pub(crate) struct CompileCache {
    dir: PathBuf,
    engine_hash: u64,
    owner: u32,
}

impl CompileCache {
    /// Opens or makes the folder; the error says why it is not private.
    pub(crate) fn open(dir: PathBuf, engine: &wasmtime::Engine) -> Result<Self, String> {
        let refused = |what: &str| format!("the compile cache `{}` {what}", dir.display());
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|error| refused(&format!("cannot be made: {error}")))?;
        let meta = fs::symlink_metadata(&dir);
        let meta = meta.map_err(|error| refused(&format!("cannot be read: {error}")))?;
        if !meta.is_dir() {
            return Err(refused("is not a folder"));
        }
        if meta.mode() & OTHERS_ANY != 0 {
            return Err(refused("is open to other users; `chmod 700` it"));
        }
        let owner = probe_owner(&dir).map_err(|error| refused(&format!("cannot be used: {error}")))?;
        if meta.uid() != owner {
            return Err(refused("belongs to another user"));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(CompileCache { dir, engine_hash: hasher.finish(), owner })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{digest}-{:016x}.cwasm", self.engine_hash))
    }

    /// The compiled component of that digest, when there is one that can be trusted.
    pub(crate) fn get(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let content = self.read(&self.path(digest))?;
        let compiled = verified(&content)?;
        // SAFETY: deserialising trusts its input. These bytes were read from a file that this user
        // owns, that nobody else can write, in a folder that nobody else can enter, and they have
        // the digest that `put` recorded from the engine's own output; they are in memory now, so
        // nothing can change them between the check and the use.
        unsafe { Component::deserialize(engine, compiled) }.ok()
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let mut file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(path).ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.uid() != self.owner || meta.mode() & OTHERS_WRITE != 0 {
            return None;
        }
        let mut content = Vec::with_capacity(usize::try_from(meta.len()).ok()?);
        file.read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Keeps a compiled component. A failure costs only the next compilation, so it is not told.
    pub(crate) fn put(&self, digest: &str, component: &Component) {
        if let Ok(compiled) = component.serialize() {
            let _ = self.write(&self.path(digest), &compiled);
        }
    }

    fn write(&self, path: &Path, compiled: &[u8]) -> std::io::Result<()> {
        let mut aside = tempfile::NamedTempFile::new_in(&self.dir)?;
        aside.write_all(MAGIC)?;
        aside.write_all(&Sha256::digest(compiled))?;
        aside.write_all(compiled)?;
        aside.as_file().sync_data()?;
        aside.persist(path)?;
        Ok(())
    }
}

/// `O_NOFOLLOW` of Linux on x86-64 and AArch64; std has no name for it.
#[cfg(all(target_os = "linux", not(any(target_arch = "arm", target_arch = "aarch64"))))]
const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(all(target_os = "linux", any(target_arch = "arm", target_arch = "aarch64")))]
const O_NOFOLLOW: i32 = 0o100_000;
#[cfg(not(target_os = "linux"))]
const O_NOFOLLOW: i32 = 0x100;

/// The user that new files in the folder belong to: this process.
fn probe_owner(dir: &Path) -> std::io::Result<u32> {
    let probe: File = tempfile::tempfile_in(dir)?;
    Ok(probe.metadata()?.uid())
}

/// The compiled part of a file, when its digest is the recorded one.
fn verified(content: &[u8]) -> Option<&[u8]> {
    let (header, compiled) = content.split_at_checked(HEADER_BYTES)?;
    let (magic, recorded) = header.split_at(MAGIC.len());
    let intact = magic == MAGIC && Sha256::digest(compiled).as_slice() == recorded;
    intact.then_some(compiled)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sealed(compiled: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), Sha256::digest(compiled).as_slice(), compiled].concat()
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let whole = sealed(b"machine code");
        assert_eq!(verified(&whole), Some(b"machine code".as_slice()));
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            assert_eq!(verified(&changed), None, "byte {position}");
        }
        assert_eq!(verified(&whole[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let engine = wasmtime::Engine::default();
        let error = CompileCache::open(dir.path().to_owned(), &engine).expect_err("refused");
        assert!(error.contains("open to other users"), "{error}");
    }
}
