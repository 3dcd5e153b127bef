//! Growing where memory may end: a plugin that asks first can say what was too much, one that traps cannot.

/// The plugin's memory is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl From<std::collections::TryReserveError> for NoRoom {
    fn from(_: std::collections::TryReserveError) -> Self {
        NoRoom
    }
}

/// Appends a value, when there is room for it.
///
/// # Errors
/// [`NoRoom`]; the values are as they were.
pub fn push<T>(values: &mut Vec<T>, value: T) -> Result<(), NoRoom> {
    values.try_reserve(1)?;
    values.push(value);
    Ok(())
}

/// Room for what a call needs in passing: the bytes of the columns that it reads, and its answer.
const SPARE_BYTES: usize = 4 << 20;

/// Memory that is set aside between calls. Reading a batch cannot be refused gently; with this, the state is what
/// meets the end of memory, and the plugin can say so.
#[derive(Debug, Default)]
pub struct SpareRoom(Vec<u8>);

impl SpareRoom {
    /// Sets the room aside.
    ///
    /// # Errors
    /// [`NoRoom`] when it is used up: the next batch might not be read.
    pub fn set_aside(&mut self) -> Result<(), NoRoom> {
        self.0.try_reserve_exact(SPARE_BYTES)?;
        Ok(())
    }

    /// Gives the room to the call.
    pub fn give(&mut self) {
        self.0 = Vec::new();
    }
}
