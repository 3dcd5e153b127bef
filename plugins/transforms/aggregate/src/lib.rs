//! One row for each group: counts, exact sums, least and greatest values.

mod config;
mod measure;
mod words;

use config::Config;
use forcepump_plugin_sdk::{
    Batch, Checkpoint, Column, Description, Emitted, OpenRequest, Opened, Outcome, OutputField, PluginError, Transform,
    export_stateful_transform,
};
use forcepump_transform_common::{
    ColumnBuilder, Key, KeyColumns, KeyTable, Place, Reader, Seal, SpareRoom, open, put_block,
};
use measure::{Fault, Measure};

/// Names the saved state and its form.
const STATE: &str = "forcepump aggregate 1";
/// Bytes that one call of `finish` gives, near enough: the host takes 64 MiB, and a text may be long.
const GIVEN_BYTES: usize = 8 << 20;

/// What one instance keeps: a key and a value of each measure for each group.
#[derive(Debug)]
pub struct Aggregate {
    columns: KeyColumns,
    groups: KeyTable,
    measures: Vec<Measure>,
    max_groups: usize,
    /// groups that `finish` has given
    given: usize,
    spare: SpareRoom,
    key: Vec<u8>,
}

impl Transform for Aggregate {
    fn describe() -> Description {
        Description::new("aggregate", env!("CARGO_PKG_VERSION"), "one row for each group: counts, sums, bounds")
            .config_schema(include_str!("../config.schema.json"))
            .stateful()
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let columns = config.groups(&request.input)?;
        let measures = config.measures(&columns, &request.input)?;
        let fields = columns.fields().cloned().chain(measures.iter().map(Measure::field));
        let output = fields.map(OutputField::computed).collect();
        let reads = columns.numbers().chain(measures.iter().filter_map(Measure::column));
        let opened = Opened::new(output).reads(reads);
        let mut aggregate = Aggregate {
            columns,
            groups: KeyTable::default(),
            measures,
            max_groups: config.max_groups as usize,
            given: 0,
            spare: SpareRoom::default(),
            key: Vec::new(),
        };
        match &request.saved {
            Some(saved) => aggregate.restore(saved)?,
            None => aggregate.open_the_only_group()?,
        }
        Ok((aggregate, opened))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        self.spare.give();
        let keys = self.columns.read()?;
        let groups = (0..batch.rows()).map(|row| self.group_of(&keys, row)).collect::<Result<Vec<_>, _>>()?;
        for index in 0..self.measures.len() {
            let column = self.measures[index].read()?;
            for (row, group) in groups.iter().enumerate() {
                let taken = self.measures[index].take(*group, column.as_ref(), row);
                taken.map_err(|fault| self.explain(fault, index, *group))?;
            }
        }
        self.spare.set_aside().map_err(|_| self.no_room())?;
        Ok(Outcome::held_back())
    }

    fn finish(&mut self, max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        self.spare.give();
        let mut keys = self.columns.builders();
        let mut values: Vec<ColumnBuilder> = self.measures.iter().map(Measure::builder).collect();
        let first = self.given;
        while self.given < self.groups.len() && self.given - first < max_rows as usize {
            self.give(self.given, &mut keys, &mut values)?;
            self.given += 1;
            if keys.iter().chain(&values).map(ColumnBuilder::bytes).sum::<usize>() >= GIVEN_BYTES {
                break;
            }
        }
        if self.given == first {
            return Ok(None);
        }
        let types = self.columns.fields().map(|field| field.data_type.clone());
        let keys = keys.into_iter().zip(types).map(|(built, data_type)| built.finish(&data_type));
        let values = values.into_iter().zip(&self.measures).map(|(built, measure)| measure.finish(built));
        let columns: Vec<Column> = keys.chain(values).collect::<Result<_, _>>()?;
        Ok(Some(Emitted::new((self.given - first) as u32, columns)))
    }
}

impl Aggregate {
    /// Without columns to group by there is one row, also of no rows at all.
    fn open_the_only_group(&mut self) -> Result<(), PluginError> {
        if self.columns.fields().next().is_none() {
            self.key.clear();
            self.group()?;
        }
        Ok(())
    }

    fn group_of(&mut self, keys: &Key, row: usize) -> Result<usize, PluginError> {
        self.key.clear();
        keys.append(row, &mut self.key);
        self.group()
    }

    /// Number of the group whose key is in `self.key`.
    fn group(&mut self) -> Result<usize, PluginError> {
        match self.groups.find(&self.key) {
            Place::Known(number) => Ok(number as usize),
            Place::New(_) if self.groups.len() >= self.max_groups => Err(self.too_many()),
            Place::New(hash) => {
                let opened = self.measures.iter_mut().try_for_each(Measure::open_group);
                let number = opened.and_then(|()| self.groups.add(&self.key, hash)).map_err(|_| self.no_room())?;
                Ok(number as usize)
            }
        }
    }

    fn give(&self, group: usize, keys: &mut [ColumnBuilder], values: &mut [ColumnBuilder]) -> Result<(), PluginError> {
        let key = self.groups.get(group as u32);
        for (builder, value) in keys.iter_mut().zip(self.columns.values(key)) {
            builder.push(value);
        }
        for (index, (builder, measure)) in values.iter_mut().zip(&self.measures).enumerate() {
            measure.give(group, builder).map_err(|fault| self.explain(fault, index, group))?;
        }
        Ok(())
    }

    fn explain(&self, fault: Fault, measure: usize, group: usize) -> PluginError {
        if fault == Fault::NoRoom {
            return self.no_room();
        }
        let measure = &self.measures[measure];
        let group = words::group(&self.columns, self.groups.get(group as u32));
        PluginError::fatal(format!(
            "the sum \"{}\" of the group {group} does not fit {}; group by more columns, or leave the values at fault out",
            measure.name,
            measure.output().describe()
        ))
    }

    fn too_many(&self) -> PluginError {
        PluginError::fatal(format!(
            "there are more than {} groups; raise max_groups in its configuration, and limits.memory_mib with it, or \
             group by fewer columns",
            self.max_groups
        ))
    }

    fn no_room(&self) -> PluginError {
        PluginError::fatal(format!(
            "{} groups are all that its memory holds; raise limits.memory_mib of this step, or group by fewer columns",
            self.groups.len()
        ))
    }

    fn shape(&self) -> String {
        let measures: Vec<String> = self.measures.iter().map(Measure::shape).collect();
        format!("{} | {}", self.columns.shape(), measures.join(","))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), PluginError> {
        let shape = self.shape();
        let mut rest = Reader::new(open(STATE, &shape, saved)?);
        while let Some(key) = rest.block() {
            let Place::New(hash) = self.groups.find(key) else { return Err(damaged()) };
            if self.groups.len() >= self.max_groups {
                return Err(self.too_many());
            }
            self.groups.add(key, hash).map_err(|_| self.no_room())?;
            for index in 0..self.measures.len() {
                let restored = self.measures[index].restore(&mut rest).ok_or_else(damaged)?;
                restored.map_err(|_| self.no_room())?;
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(damaged()) }
    }
}

fn damaged() -> PluginError {
    PluginError::fatal("the saved state is not whole; start the run anew, without it")
}

impl Checkpoint for Aggregate {
    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        let shape = self.shape();
        let mut seal = Seal::new(STATE, &shape, "group by fewer columns");
        let mut block = Vec::new();
        for (group, key) in self.groups.iter().enumerate() {
            block.clear();
            put_block(key, &mut block);
            self.measures.iter().for_each(|measure| measure.save(group, &mut block));
            seal.put(&block)?;
        }
        Ok(seal.finish())
    }
}

export_stateful_transform!(Aggregate);

#[cfg(test)]
mod tests;
