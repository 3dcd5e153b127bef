//! The terminal's settings, given back when a prompt that hides what is typed is interrupted.

/// The settings as they were; given back when dropped.
#[cfg(unix)]
pub struct Kept(Option<libc::termios>);

#[cfg(unix)]
impl Kept {
    /// Keeps those of standard input; nothing where that is no terminal.
    pub fn now() -> Self {
        let mut settings = std::mem::MaybeUninit::uninit();
        // SAFETY: the pointer is good for one write of this type, and tcgetattr writes nothing else.
        let result = unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) };
        // SAFETY: tcgetattr has filled it in when it gives 0.
        Self((result == 0).then(|| unsafe { settings.assume_init() }))
    }
}

#[cfg(unix)]
impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // SAFETY: the settings are those that tcgetattr gave; a terminal that is gone is an error that nobody misses.
            let _ = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) };
        }
    }
}

/// Other systems end a prompt with the process.
#[cfg(not(unix))]
pub struct Kept;

#[cfg(not(unix))]
impl Kept {
    /// Nothing to keep.
    pub fn now() -> Self {
        Self
    }
}
