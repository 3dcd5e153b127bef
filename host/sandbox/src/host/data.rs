//! `data`, linked by hand: `read` lends Arrow's own bytes to the engine, `write` copies once.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList};

use crate::bindings::forcepump::plugin::data::OnCastError;
use crate::bindings::forcepump::plugin::types::{DataType, RowRange, Schema, Selection};
use crate::border::accept::{Parts, accept};
use crate::limits::CONTRACT_VERSION;
use crate::state::HostState;

/// The contract's `buffers` record, left where it lies in guest memory.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Given {
    validity: Option<WasmList<u8>>,
    offsets: WasmList<u8>,
    values: WasmList<u8>,
}

type Store<'a> = StoreContextMut<'a, HostState>;

/// Links the interface.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut data = linker.instance(&format!("forcepump:plugin/data@{CONTRACT_VERSION}"))?;
    data.func_wrap("read", |store: Store<'_>, (of, rows): (u32, Option<RowRange>)| {
        Ok((store.data().border.read(of, rows),))
    })?;
    data.func_wrap("null-count", |store: Store<'_>, (of,): (u32,)| Ok((store.data().border.null_count(of),)))?;
    data.func_wrap("write", |store: Store<'_>, (data_type, rows, parts): (DataType, u32, Given)| {
        Ok((write(store, &data_type, rows, &parts),))
    })?;
    data.func_wrap("cast", |mut store: Store<'_>, (of, to, on_error): (u32, DataType, OnCastError)| {
        Ok((store.data_mut().border.cast(of, &to, on_error),))
    })?;
    data.func_wrap("select", |mut store: Store<'_>, (of, rows): (u32, Selection)| {
        Ok((store.data_mut().border.select(of, &rows),))
    })?;
    data.func_wrap("assemble", |mut store: Store<'_>, (shape, columns): (Schema, Vec<u32>)| {
        Ok((store.data_mut().border.assemble(&shape, &columns),))
    })?;
    data.func_wrap("retain", |mut store: Store<'_>, (of,): (u32,)| Ok((store.data_mut().retain(of),)))?;
    data.func_wrap("release", |mut store: Store<'_>, (retained,): (u32,)| {
        store.data_mut().release(retained);
        Ok(())
    })?;
    data.func_wrap("columns", |mut store: Store<'_>, (of,): (u32,)| Ok((store.data_mut().border.columns_of(of),)))
}

fn write(mut store: Store<'_>, data_type: &DataType, rows: u32, given: &Given) -> Result<u32, String> {
    let bytes = given.validity.as_ref().map_or(0, WasmList::len);
    let bytes = bytes + given.offsets.len() + given.values.len();
    let data_type = store.data_mut().border.admit(data_type, bytes)?;
    let parts = Parts {
        validity: given.validity.as_ref().map(|bits| bits.as_le_slice(&store)),
        offsets: given.offsets.as_le_slice(&store),
        values: given.values.as_le_slice(&store),
    };
    let border = &store.data().border;
    let array = accept(&data_type, rows, parts, &|bytes| border.known_offsets(bytes))?;
    store.data_mut().border.write(array)
}

impl HostState {
    fn retain(&mut self, of: u32) -> Result<u32, String> {
        let number = self.border.retain(of, self.meter.room())?;
        self.meter.retained = self.border.retained_bytes();
        Ok(number)
    }

    fn release(&mut self, retained: u32) {
        self.border.release(retained);
        self.meter.retained = self.border.retained_bytes();
    }
}
