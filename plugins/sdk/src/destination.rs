//! The trait of a destination, and what stands between it and the contract.

use crate::bindings::destination::exports::forcepump::plugin::destination;
use crate::bindings::metadata::exports::forcepump::plugin::metadata;
use crate::{Batch, Description, PluginError, Schema, host, parse_config};
use serde::de::DeserializeOwned;
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

pub use destination::{Ending, Target, WriteMode, WriteOutcome};

/// How a destination wants to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// rows a batch that suit it; 0 leaves it to the host
    pub preferred_rows: u32,
    /// how many units it can take side by side; 1 means one after the other
    pub lanes: u32,
}

impl Plan {
    /// One unit after the other, batches as the host likes.
    pub fn one_lane() -> Self {
        Plan { preferred_rows: 0, lanes: 1 }
    }
}

/// Where rows end. The value is one unit that is being written.
pub trait Destination: Sized + 'static {
    /// Who the plugin is. Pure: every call to the host traps while this runs.
    fn describe() -> Description;

    /// Numbers of the input columns that are taken, in the order in which [`Destination::write`] sees
    /// them. A function of the target alone, because every instance asks it.
    ///
    /// # Errors
    /// [`PluginError::Config`] or [`PluginError::Schema`].
    fn columns(target: &Target) -> Result<Vec<u32>, PluginError> {
        Ok((0..target.input.fields.len() as u32).collect())
    }

    /// Before the first unit: creates the target or lets it grow. Must bear being called again.
    ///
    /// # Errors
    /// [`PluginError::Config`] or [`PluginError::Schema`], which end the run before any data moves.
    fn prepare(target: &Target) -> Result<Plan, PluginError>;

    /// Starts a unit, whose id is the same when it is tried again.
    ///
    /// # Errors
    /// [`PluginError::Retryable`] to be called again later, else the unit fails.
    fn begin(target: &Target, unit: &str) -> Result<Self, PluginError>;

    /// One batch of the unit, with the taken columns.
    ///
    /// # Errors
    /// [`PluginError::Data`] for this batch only, [`PluginError::Fatal`] for the run.
    fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError>;

    /// All that was accepted becomes durable and visible as one. The value is dropped once this
    /// succeeds.
    ///
    /// # Errors
    /// [`PluginError::Retryable`] to be called again later, else the unit fails.
    fn commit(&mut self) -> Result<String, PluginError>;

    /// Forgets what was written; by default dropping the value does.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when something may have stayed.
    fn abandon(self) -> Result<(), PluginError> {
        Ok(())
    }

    /// After the last unit: swaps in, sweeps, writes a manifest. `tokens` is what commit gave for each
    /// unit of the run.
    ///
    /// # Errors
    /// [`PluginError::Retryable`] to be called again later, else the run fails.
    fn conclude(target: &Target, how: Ending, tokens: &[String]) -> Result<(), PluginError> {
        let _ = (target, how, tokens);
        Ok(())
    }
}

impl Target {
    /// The configuration as the author's own struct.
    ///
    /// # Errors
    /// [`PluginError::Config`] with the JSON pointer of the place at fault.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, PluginError> {
        parse_config(&self.config)
    }

    /// The schema of the taken columns.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when there is no column of a number.
    pub fn taken(&self, columns: &[u32]) -> Result<Schema, PluginError> {
        let fields = columns.iter().map(|column| self.input.field(*column).cloned()).collect::<Result<_, _>>()?;
        Ok(Schema { fields, metadata: self.input.metadata.clone() })
    }

    /// Names of the key columns.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when there is no column of a number.
    pub fn key_names(&self) -> Result<Vec<&str>, PluginError> {
        self.keys.iter().map(|key| Ok(self.input.field(*key)?.name.as_str())).collect()
    }
}

/// A unit between `begin` and its end.
struct Unit<T> {
    plugin: T,
    taken: Schema,
}

thread_local! {
    // One component has one plugin, but a generic function has no static of its own type.
    static UNIT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// The exports of a destination; named by the macro only.
#[derive(Debug)]
pub struct DestinationExport<T>(PhantomData<T>);

impl<T: Destination> metadata::Guest for DestinationExport<T> {
    fn describe() -> Description {
        T::describe()
    }
}

impl<T: Destination> destination::Guest for DestinationExport<T> {
    fn prepare(of: Target) -> Result<destination::Prepared, PluginError> {
        host::report_panics();
        let takes = T::columns(&of)?;
        let Plan { preferred_rows, lanes } = T::prepare(&of)?;
        Ok(destination::Prepared { takes, preferred_rows, lanes })
    }

    fn begin(of: Target, unit: String) -> Result<(), PluginError> {
        host::report_panics();
        UNIT.set(None);
        let taken = of.taken(&T::columns(&of)?)?;
        let plugin = T::begin(&of, &unit)?;
        UNIT.set(Some(Box::new(Unit { plugin, taken })));
        Ok(())
    }

    fn write(rows: u32) -> Result<WriteOutcome, PluginError> {
        with_unit(|unit: &mut Unit<T>| unit.plugin.write(&Batch::new(&unit.taken, rows, 0)))
    }

    fn commit() -> Result<String, PluginError> {
        let token = with_unit(|unit: &mut Unit<T>| unit.plugin.commit())?;
        UNIT.set(None);
        Ok(token)
    }

    fn abandon() -> Result<(), PluginError> {
        match UNIT.take().map(|any| any.downcast::<Unit<T>>()) {
            Some(Ok(unit)) => unit.plugin.abandon(),
            // Nothing was begun, so there is nothing to forget.
            _ => Ok(()),
        }
    }

    fn conclude(of: Target, how: Ending, tokens: Vec<String>) -> Result<(), PluginError> {
        host::report_panics();
        T::conclude(&of, how, &tokens)
    }
}

fn with_unit<T: Destination, R>(work: impl FnOnce(&mut Unit<T>) -> Result<R, PluginError>) -> Result<R, PluginError> {
    UNIT.with_borrow_mut(|unit| match unit.as_mut().and_then(|any| any.downcast_mut::<Unit<T>>()) {
        Some(unit) => work(unit),
        None => Err(PluginError::fatal("the destination was called outside a unit")),
    })
}

/// Exports a type that implements [`Destination`] as the crate's plugin.
#[macro_export]
macro_rules! export_destination {
    ($plugin:ty) => {
        const _: fn() -> $crate::Description = <$plugin as $crate::Destination>::describe;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Export = $crate::DestinationExport<$plugin>;
    $crate::bindings::metadata::export_metadata!(Export with_types_in $crate::bindings::metadata);
    $crate::bindings::destination::export_destination_part!(Export with_types_in $crate::bindings::destination);
        };
    };
}
