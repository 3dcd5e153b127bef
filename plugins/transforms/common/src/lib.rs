//! What the stateful transforms share: exact keys of any type, a table of them, and states that can be saved.

mod column;
mod key;
mod room;
mod saved;
mod table;

pub use column::{ColumnBuilder, Kind, Loaded};
pub use key::{Key, KeyColumns};
pub use room::{NoRoom, SpareRoom, push};
pub use saved::{Reader, Seal, open, put_block};
pub use table::{KeyTable, Place};
