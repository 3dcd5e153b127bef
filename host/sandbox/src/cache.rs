//! Compiled components on disk, in a folder that only this user can enter.
//!
//! Deserialising a file runs what is in it, so a file is taken only when the folder and the file
//! belong to this user, nobody else can write them, and the content has the digest that was
//! recorded when it was written, which covers the component's own digest: a file under another
//! component's name is not taken. Whoever has this user's rights needs no cache to run code.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

/// First bytes of a cache file; the digest of what it is of and of the rest follows.
const MAGIC: &[u8; 16] = b"forcepump-cwasm2";
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
        let compiled = verified(digest, &content)?;
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
            let _ = self.write(digest, &compiled);
        }
    }

    fn write(&self, digest: &str, compiled: &[u8]) -> std::io::Result<()> {
        let mut aside = tempfile::NamedTempFile::new_in(&self.dir)?;
        aside.write_all(MAGIC)?;
        aside.write_all(&seal(digest, compiled))?;
        aside.write_all(compiled)?;
        aside.as_file().sync_data()?;
        aside.persist(self.path(digest))?;
        Ok(())
    }
}

/// The digest that a file records: of the component's digest and of what was compiled from it.
fn seal(digest: &str, compiled: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(digest).chain_update(compiled).finalize().into()
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

/// The compiled part of a file, when it is whole and of the component of that digest.
fn verified<'a>(digest: &str, content: &'a [u8]) -> Option<&'a [u8]> {
    let (header, compiled) = content.split_at_checked(HEADER_BYTES)?;
    let (magic, recorded) = header.split_at(MAGIC.len());
    let intact = magic == MAGIC && seal(digest, compiled) == recorded;
    intact.then_some(compiled)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sealed(compiled: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), &seal("aa", compiled), compiled].concat()
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let whole = sealed(b"machine code");
        assert_eq!(verified("aa", &whole), Some(b"machine code".as_slice()));
        assert_eq!(verified("bb", &whole), None, "another component's");
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            assert_eq!(verified("aa", &changed), None, "byte {position}");
        }
        assert_eq!(verified("aa", &whole[..HEADER_BYTES - 1]), None);
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
