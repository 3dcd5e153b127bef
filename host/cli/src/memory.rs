//! How the process keeps freed memory.

/// Lets all threads share few arenas of the C library's allocator.
///
/// By default each thread keeps its own, and batches that are made on one thread and freed on another leave holes in
/// all of them: measured with two workers, the peak of a run is then twice what is in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_arenas() {
    /// Two workers do not get in each other's way over one: they mostly copy, and allocate in large pieces.
    const ARENAS: libc::c_int = 1;
    // SAFETY: mallopt only sets a number of the allocator, and no other thread runs yet.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_arenas() {}
