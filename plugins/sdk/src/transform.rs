//! The trait of a transform, and what stands between it and the contract.

use crate::bindings::checkpoint::exports::forcepump::plugin::checkpoint;
use crate::bindings::metadata::exports::forcepump::plugin::metadata;
use crate::bindings::transform::exports::forcepump::plugin::transform;
use crate::{Batch, Description, Emitted, OpenRequest, Opened, Outcome, PluginError, Schema, host};
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

/// A step between source and destination. The value is what one instance keeps between batches.
pub trait Transform: Sized + 'static {
    /// Who the plugin is. Pure: every call to the host traps while this runs.
    fn describe() -> Description;

    /// Reads the configuration and settles the output.
    ///
    /// # Errors
    /// [`PluginError::Config`] or [`PluginError::Schema`], which end the run before any data moves.
    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError>;

    /// One batch.
    ///
    /// # Errors
    /// [`PluginError::Data`] for this batch only, [`PluginError::Fatal`] for the run.
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError>;

    /// After the last batch, called until it gives none, each time with at most `max_rows` rows.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] for the run.
    fn finish(&mut self, max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        let _ = max_rows;
        Ok(None)
    }
}

/// A transform whose state must live through a restart; exported by `export_stateful_transform!`.
pub trait Checkpoint: Transform {
    /// The state after the last batch, given back in [`OpenRequest::saved`].
    ///
    /// # Errors
    /// [`PluginError::Fatal`] for the run.
    fn save(&mut self) -> Result<Vec<u8>, PluginError>;
}

/// An instance after `open`.
struct Open<T> {
    plugin: T,
    input: Schema,
}

thread_local! {
    // One component has one plugin, but a generic function has no static of its own type.
    static INSTANCE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// The exports of a transform; named by the macros only.
#[derive(Debug)]
pub struct TransformExport<T>(PhantomData<T>);

impl<T: Transform> metadata::Guest for TransformExport<T> {
    fn describe() -> Description {
        T::describe()
    }
}

impl<T: Transform> transform::Guest for TransformExport<T> {
    fn open(request: OpenRequest) -> Result<Opened, PluginError> {
        host::report_panics();
        let input = request.input.clone();
        let (plugin, opened) = T::open(request)?;
        INSTANCE.set(Some(Box::new(Open { plugin, input })));
        Ok(opened)
    }

    fn process(batch: transform::Input) -> Result<Outcome, PluginError> {
        with_open(|open: &mut Open<T>| {
            let batch = Batch::new(&open.input, batch.rows, batch.first_row);
            open.plugin.process(&batch)
        })
    }

    fn finish(max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        with_open(|open: &mut Open<T>| open.plugin.finish(max_rows))
    }
}

impl<T: Checkpoint> checkpoint::Guest for TransformExport<T> {
    fn save() -> Result<Vec<u8>, PluginError> {
        with_open(|open: &mut Open<T>| open.plugin.save())
    }
}

fn with_open<T: Transform, R>(work: impl FnOnce(&mut Open<T>) -> Result<R, PluginError>) -> Result<R, PluginError> {
    INSTANCE.with_borrow_mut(|instance| match instance.as_mut().and_then(|any| any.downcast_mut::<Open<T>>()) {
        Some(open) => work(open),
        None => Err(PluginError::fatal("the transform was called before it was opened")),
    })
}

/// Exports a type that implements [`Transform`] as the crate's plugin.
#[macro_export]
macro_rules! export_transform {
    ($plugin:ty) => {
        const _: fn() -> $crate::Description = <$plugin as $crate::Transform>::describe;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Export = $crate::TransformExport<$plugin>;
    $crate::bindings::metadata::export_metadata!(Export with_types_in $crate::bindings::metadata);
    $crate::bindings::transform::export_transform_part!(Export with_types_in $crate::bindings::transform);
        };
    };
}

/// Exports a type that implements [`Checkpoint`] as the crate's plugin.
#[macro_export]
macro_rules! export_stateful_transform {
    ($plugin:ty) => {
        $crate::export_transform!($plugin);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Export = $crate::TransformExport<$plugin>;
    $crate::bindings::checkpoint::export_checkpoint_part!(Export with_types_in $crate::bindings::checkpoint);
        };
    };
}
