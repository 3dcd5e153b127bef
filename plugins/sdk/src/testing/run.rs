//! Runs a plugin natively, as the host would.

use super::store::{self, Stored};
use super::{AS_OF_MICROS, Table, files, sql};
use crate::{
    Batch, Checkpoint, Derived, Destination, Emitted, Ending, Field, OpenRequest, Opened, Outcome, Plan, PluginError,
    Reject, Schema, Source, Target, Transform, Value, WriteMode, WriteOutcome,
};
use std::collections::BTreeSet;

/// The id of every run of the stand-in.
const RUN_ID: &str = "test-run";
/// The feed of every run of the stand-in.
const FEED: &str = "Account";
/// How often a batch that a destination asks for again is given again; the host waits in between.
const WRITE_RETRIES: u32 = 5;
/// Rows asked of `finish` at once.
const FINISH_ROWS: u32 = 1024;

/// Bytes of a checkpoint, as with the host.
const CHECKPOINT_MAX_BYTES: usize = 16 << 20;

/// An opened transform.
#[derive(Debug)]
pub struct TransformRun<T> {
    plugin: T,
    /// What open settled.
    pub opened: Opened,
    input: Schema,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Processed {
    /// Rows that went on, with every output column.
    pub table: Table,
    /// Rows that were refused.
    pub rejects: Vec<Reject>,
}

impl<T: Transform> TransformRun<T> {
    /// Opens the transform with a configuration for these input columns.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the plugin's configuration schema is no JSON, or what it settled breaks the contract.
    pub fn open(config: &serde_json::Value, input: &Schema) -> Result<Self, PluginError> {
        Self::resume(config, input, None)
    }

    /// Opens the transform with the state that [`TransformRun::save`] gave.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// As [`TransformRun::open`].
    pub fn resume(config: &serde_json::Value, input: &Schema, saved: Option<Vec<u8>>) -> Result<Self, PluginError> {
        check_description(&T::describe().config_schema);
        store::begin_instance();
        let request = OpenRequest {
            config: config.to_string(),
            input: input.clone(),
            feed: FEED.to_owned(),
            lane: 0,
            run_id: RUN_ID.to_owned(),
            as_of: AS_OF_MICROS,
            saved,
        };
        let (plugin, opened) = T::open(request)?;
        for output in &opened.output {
            if let Source::Keep(column) = output.source {
                let kept = input.fields.get(column as usize);
                assert_eq!(
                    kept.map(|field| &field.data_type),
                    Some(&output.field.data_type),
                    "a kept column is retyped"
                );
            }
        }
        Ok(TransformRun { plugin, opened, input: input.clone() })
    }

    /// Names of the output columns.
    pub fn output_names(&self) -> Vec<&str> {
        self.opened.output.iter().map(|output| output.field.name.as_str()).collect()
    }

    /// One batch.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the outcome breaks the contract.
    pub fn process(&mut self, table: &Table) -> Result<Processed, PluginError> {
        store::begin_call(table.stored(), Some(self.opened.reads.clone()));
        let batch = Batch::new(&self.input, table.rows() as u32, 0);
        match self.plugin.process(&batch)? {
            Outcome::Derived(derived) => Ok(self.derived(table, derived)),
            Outcome::Replaced(emitted) => Ok(Processed { table: self.emitted(emitted), rejects: Vec::new() }),
        }
    }

    /// What comes after the last batch.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the rows break the contract.
    pub fn finish(&mut self) -> Result<Table, PluginError> {
        let mut whole = self.emitted(Vec::new());
        while let Some(part) = self.finish_some(FINISH_ROWS)? {
            whole.columns.iter_mut().zip(part.columns).for_each(|(all, more)| all.extend(more));
        }
        Ok(whole)
    }

    /// At most that many of the rows that come after the last batch; none when there are no more.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the rows break the contract.
    pub fn finish_some(&mut self, max_rows: u32) -> Result<Option<Table>, PluginError> {
        store::begin_call(Vec::new(), None);
        let Some(emitted) = self.plugin.finish(max_rows)? else { return Ok(None) };
        assert!(emitted.rows <= max_rows, "{} rows come out, {max_rows} were asked for", emitted.rows);
        Ok(Some(self.emitted(vec![emitted])))
    }

    fn derived(&self, table: &Table, derived: Derived) -> Processed {
        let rows = store::selected_rows(&derived.rows, table.rows()).unwrap_or_else(|rule| panic!("{rule}"));
        let refused: BTreeSet<usize> = derived.rejects.iter().map(|reject| reject.row as usize).collect();
        assert_eq!(refused.len(), derived.rejects.len(), "a row is refused twice");
        assert!(rows.iter().all(|row| !refused.contains(row)), "a refused row is selected");
        let mut computed = derived.columns.iter();
        let columns = self.opened.output.iter().map(|output| match &output.source {
            Source::Keep(column) => rows.iter().map(|row| table.cells(*column as usize)[*row].clone()).collect(),
            Source::Constant(value) => vec![value.clone(); rows.len()],
            Source::Computed => checked(computed.next().copied(), &output.field, rows.len()),
        });
        let columns = columns.collect();
        assert!(computed.next().is_none(), "more columns than were settled");
        Processed { table: Table { schema: self.output_schema(), columns }, rejects: derived.rejects }
    }

    fn emitted(&self, batches: Vec<Emitted>) -> Table {
        let schema = self.output_schema();
        let mut columns = vec![Vec::new(); schema.fields.len()];
        for batch in batches {
            assert_eq!(batch.columns.len(), columns.len(), "an emitted batch has every output column");
            for ((all, field), column) in columns.iter_mut().zip(&schema.fields).zip(batch.columns) {
                all.extend(checked(Some(column), field, batch.rows as usize));
            }
        }
        Table { schema, columns }
    }

    fn output_schema(&self) -> Schema {
        Schema::new(self.opened.output.iter().map(|output| output.field.clone()).collect())
    }
}

/// The cells of a column that the plugin delivered, held against what was settled.
fn checked(column: Option<u32>, field: &Field, rows: usize) -> Vec<Value> {
    let column = column.unwrap_or_else(|| panic!("column \"{}\" is missing", field.name));
    let Stored { data_type, cells } = store::delivered(column).unwrap_or_else(|rule| panic!("{rule}"));
    assert_eq!(data_type, field.data_type, "type of column \"{}\"", field.name);
    assert_eq!(cells.len(), rows, "length of column \"{}\"", field.name);
    assert!(field.nullable || !cells.contains(&Value::Null), "null in column \"{}\"", field.name);
    cells
}

impl<T: Checkpoint> TransformRun<T> {
    /// The state after the last batch, for [`TransformRun::resume`].
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the state is larger than the host takes.
    pub fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        store::begin_call(Vec::new(), None);
        let saved = self.plugin.save()?;
        assert!(saved.len() <= CHECKPOINT_MAX_BYTES, "{} bytes are more than a checkpoint may have", saved.len());
        Ok(saved)
    }
}

fn check_description(config_schema: &str) {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(config_schema);
    assert!(parsed.is_ok(), "the configuration schema is no JSON: {parsed:?}");
}

/// What a destination is pointed at.
pub fn target(config: &serde_json::Value, input: &Schema, mode: WriteMode, keys: &[u32]) -> Target {
    Target {
        config: config.to_string(),
        input: input.clone(),
        feed: FEED.to_owned(),
        run_id: RUN_ID.to_owned(),
        as_of: AS_OF_MICROS,
        mode,
        keys: keys.to_vec(),
    }
}

/// A destination between `prepare` and `conclude`.
#[derive(Debug)]
pub struct DestinationRun<T> {
    target: Target,
    /// What prepare settled.
    pub plan: Plan,
    /// What commit gave for each unit.
    pub tokens: Vec<String>,
    taken: Schema,
    columns: Vec<u32>,
    of: std::marker::PhantomData<T>,
}

impl<T: Destination> DestinationRun<T> {
    /// Prepares the destination.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// When the plugin's configuration schema is no JSON.
    pub fn prepare(target: Target) -> Result<Self, PluginError> {
        check_description(&T::describe().config_schema);
        let columns = T::columns(&target)?;
        let plan = T::prepare(&target)?;
        let taken = target.taken(&columns)?;
        Ok(DestinationRun { target, plan, tokens: Vec::new(), taken, columns, of: std::marker::PhantomData })
    }

    /// Writes the tables as one unit and commits it; gives the rows that were refused. A table that the destination asks
    /// for again comes again, at once.
    ///
    /// # Errors
    /// What the plugin says, or that it asks for the same table for ever; the unit is abandoned then.
    pub fn unit(&mut self, unit: &str, tables: &[Table]) -> Result<Vec<Reject>, PluginError> {
        let mut open = T::begin(&self.target, unit)?;
        match self.write_and_commit(&mut open, tables) {
            Ok((token, rejects)) => {
                self.tokens.push(token);
                Ok(rejects)
            }
            Err(error) => {
                open.abandon()?;
                Err(error)
            }
        }
    }

    /// Writes the tables as one unit and abandons it.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn abandoned_unit(&mut self, unit: &str, tables: &[Table]) -> Result<(), PluginError> {
        let mut open = T::begin(&self.target, unit)?;
        for table in tables {
            self.write(&mut open, table)?;
        }
        open.abandon()
    }

    /// Concludes the run.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn conclude(&self, how: Ending) -> Result<(), PluginError> {
        T::conclude(&self.target, how, &self.tokens)
    }

    fn write_and_commit(&self, open: &mut T, tables: &[Table]) -> Result<(String, Vec<Reject>), PluginError> {
        let mut rejects = Vec::new();
        for table in tables {
            let mut tries = 0;
            loop {
                match self.write(open, table)? {
                    WriteOutcome::Accepted => break,
                    WriteOutcome::Partial(refused) => break rejects.extend(refused),
                    WriteOutcome::Retry(_) if tries < WRITE_RETRIES => tries += 1,
                    WriteOutcome::Retry(advice) => return Err(PluginError::Retryable(advice)),
                }
            }
        }
        store::begin_call(Vec::new(), None);
        Ok((open.commit()?, rejects))
    }

    fn write(&self, open: &mut T, table: &Table) -> Result<WriteOutcome, PluginError> {
        let stored = table.stored();
        let taken = self.columns.iter().map(|column| stored[*column as usize].clone()).collect();
        store::begin_call(taken, None);
        files::set_schema(&self.taken);
        sql::set_schema(&self.taken);
        open.write(&Batch::new(&self.taken, table.rows() as u32, 0))
    }
}
