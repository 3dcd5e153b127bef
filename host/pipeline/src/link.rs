//! One opened transform with all that it takes to open it again, its state included.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use forcepump_sandbox::{CallError, OpenRequest, Opened, Processed, Settings, Source, TransformInstance};

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::firewall::Withheld;
use crate::health::Health;
use crate::part::Part;

/// Batches after which the state is saved: so many are replayed at most when an instance is lost.
const BATCHES_BETWEEN_SAVES: usize = 8;
/// Bytes of batches that are held for a replay; beyond them the state is saved at once.
const MAX_HELD_BYTES: usize = 64 << 20;

/// One opened transform.
pub(crate) struct Link {
    instance: TransformInstance,
    pub input: SchemaRef,
    pub opened: Opened,
    /// input columns that the firewall closes
    pub withheld: Withheld,
    settings: Settings,
    request: OpenRequest,
    memory: Memory,
    /// this instance has taken a batch
    worked: bool,
    /// rows go past it
    bypassed: bool,
}

/// What there is to bring an instance back to where it was.
enum Memory {
    /// It keeps no state: a fresh one is as good.
    Stateless,
    /// It keeps state, and this is what to start from.
    Kept(Kept),
    /// It keeps state that cannot be brought back, and why.
    Lost(String),
}

/// A saved state and what came after it.
#[derive(Default)]
struct Kept {
    /// the last saved state; none is that of a new instance
    saved: Option<Arc<Vec<u8>>>,
    /// batches since then, with the numbers of their first rows
    since: Vec<(RecordBatch, u64)>,
    held_bytes: usize,
    /// the state at the start of the unit
    unit_start: Option<Arc<Vec<u8>>>,
}

/// Whom a link tells of its troubles.
#[derive(Clone, Copy)]
pub(crate) struct Care<'a> {
    pub part: &'a Part,
    pub health: &'a Health,
    pub observer: &'a Arc<dyn Observer>,
}

impl Link {
    pub(crate) async fn open(
        part: &Part,
        settings: Settings,
        request: OpenRequest,
        withheld: Withheld,
    ) -> Result<Self, Error> {
        let (instance, opened) = instance(part, &settings, &withheld, request.clone()).await?;
        let memory = match (part.plugin.description().stateful, part.plugin.has_checkpoint()) {
            (false, _) => Memory::Stateless,
            (true, true) => Memory::Kept(Kept::default()),
            (true, false) => Memory::Lost("it does not export `checkpoint`".to_owned()),
        };
        let input = Arc::clone(&request.input);
        Ok(Self { instance, input, opened, withheld, settings, request, memory, worked: false, bypassed: false })
    }

    /// The same, but rows go past it: what it keeps stays, what it would make is null.
    pub(crate) fn bypassed(self) -> Self {
        Self { bypassed: true, memory: Memory::Stateless, ..self }
    }

    /// One batch. A stateful transform's batch must be [`Link::took`] when the answer is used.
    pub(crate) async fn process(&mut self, batch: RecordBatch, first_row: u64) -> Result<Processed, CallError> {
        if self.bypassed {
            return Ok(past(&self.opened, &batch));
        }
        self.instance.process(batch, first_row).await
    }

    /// Rows that the transform kept back.
    pub(crate) async fn finish(&mut self, max_rows: u32) -> Result<Option<RecordBatch>, CallError> {
        if self.bypassed {
            return Ok(None);
        }
        self.instance.finish(max_rows).await
    }

    /// Whether this instance has taken a batch before: what broke it may be more than the last one.
    pub(crate) fn worked(&self) -> bool {
        self.worked
    }

    /// Whether it keeps state.
    pub(crate) fn is_stateful(&self) -> bool {
        !matches!(self.memory, Memory::Stateless)
    }

    /// Why the state cannot be brought back, when it cannot.
    pub(crate) fn lost(&self) -> Option<&str> {
        match &self.memory {
            Memory::Lost(why) => Some(why),
            _ => None,
        }
    }

    /// A batch was taken and its answer is used: it is part of the state.
    pub(crate) async fn took(&mut self, care: Care<'_>, batch: RecordBatch, first_row: u64) -> Result<(), Error> {
        self.worked = true;
        let Memory::Kept(kept) = &mut self.memory else { return Ok(()) };
        kept.held_bytes += batch.get_array_memory_size();
        kept.since.push((batch, first_row));
        // A large state is saved more rarely, so that saving never costs more than the work.
        let worth = kept.held_bytes >= kept.saved.as_ref().map_or(0, |saved| saved.len());
        if kept.since.len() >= BATCHES_BETWEEN_SAVES && worth || kept.held_bytes >= MAX_HELD_BYTES {
            self.save(care).await?;
        }
        Ok(())
    }

    /// A unit starts: this is where [`Link::rewind`] leads.
    pub(crate) async fn begin_unit(&mut self, care: Care<'_>) -> Result<(), Error> {
        if matches!(&self.memory, Memory::Kept(kept) if !kept.since.is_empty()) {
            self.save(care).await?;
        }
        if let Memory::Kept(kept) = &mut self.memory {
            kept.unit_start = kept.saved.clone();
        }
        Ok(())
    }

    /// Back to the start of the unit.
    pub(crate) async fn rewind(&mut self, care: Care<'_>) -> Result<(), Error> {
        if let Memory::Kept(kept) = &mut self.memory {
            *kept = Kept { saved: kept.unit_start.clone(), unit_start: kept.unit_start.clone(), ..Kept::default() };
            return self.restore(care).await;
        }
        if self.instance.is_alive() { Ok(()) } else { self.restore(care).await }
    }

    /// After a call that broke: an instance as it was before that call.
    pub(crate) async fn renew(&mut self, care: Care<'_>) -> Result<(), Error> {
        match &self.memory {
            Memory::Stateless if self.instance.is_alive() => Ok(()),
            Memory::Kept(kept) if !kept.since.is_empty() => {
                self.restore(care).await?;
                // The next loss is then no further back than this.
                self.save(care).await
            }
            _ => self.restore(care).await,
        }
    }

    /// Takes the counters of the instance that ends here.
    pub(crate) fn retire(&self, health: &Health) {
        health.counted(self.instance.counters());
    }

    /// A fresh instance with the saved state and the batches since.
    async fn restore(&mut self, care: Care<'_>) -> Result<(), Error> {
        self.retire(care.health);
        care.health.renewed();
        let saved = match &self.memory {
            Memory::Kept(kept) => kept.saved.as_deref().cloned(),
            _ => None,
        };
        let (instance, opened) =
            instance(care.part, &self.settings, &self.withheld, OpenRequest { saved, ..self.request.clone() }).await?;
        same_answer(care.part, &self.opened, &opened)?;
        self.instance = instance;
        self.worked = false;
        let Memory::Kept(kept) = &self.memory else { return Ok(()) };
        for (batch, first_row) in &kept.since {
            let replayed = self.instance.process(batch.clone(), *first_row).await;
            replayed.map_err(|error| unrecovered(care.part, &error))?;
        }
        Ok(())
    }

    /// Saves the state. A plugin that cannot save goes on without: it is only that it cannot be brought back later.
    async fn save(&mut self, care: Care<'_>) -> Result<(), Error> {
        let error = match self.instance.save().await {
            Ok(bytes) => {
                if let Memory::Kept(kept) = &mut self.memory {
                    let saved = Some(Arc::new(bytes));
                    *kept = Kept { saved, unit_start: kept.unit_start.take(), ..Kept::default() };
                }
                return Ok(());
            }
            Err(error) => error,
        };
        if !self.instance.is_alive() {
            self.restore(care).await?;
        }
        let why = format!("its state could not be saved: {error}");
        let told = format!("{why}; a batch that breaks plugin {} will end the run", care.part.name());
        care.observer.event(Event::Warning(told));
        self.memory = Memory::Lost(why);
        Ok(())
    }
}

/// A batch in the layout that a transform answers in, without the transform.
fn past(opened: &Opened, batch: &RecordBatch) -> Processed {
    let rows = batch.num_rows();
    let column = |(field, source): (&Arc<Field>, &Source)| {
        match source {
            Source::Keep(column) => batch.columns().get(*column as usize).cloned(),
            _ => None,
        }
        .unwrap_or_else(|| new_null_array(field.data_type(), rows))
    };
    let columns: Vec<_> = opened.output.fields().iter().zip(&opened.sources).map(column).collect();
    // A column that is not wanted is null here, whatever the transform promised of it.
    let fields = opened.output.fields().iter().zip(&columns);
    let fields: Vec<Field> = fields
        .map(|(field, column)| field.as_ref().clone().with_nullable(field.is_nullable() || column.null_count() > 0))
        .collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, opened.output.metadata().clone()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options);
    let batches: Vec<RecordBatch> = batch.into_iter().collect();
    Processed { batches, rejects: Vec::new(), selected: rows as u64, filtered: 0, replaced: false }
}

async fn instance(
    part: &Part,
    settings: &Settings,
    withheld: &Withheld,
    request: OpenRequest,
) -> Result<(TransformInstance, Opened), Error> {
    let mut instance = part.plugin.transform(settings).await.map_err(|error| part.transform_error(&error))?;
    let opened = instance.open(request).await.map_err(|error| refused(part, withheld, &error))?;
    Ok((instance, opened))
}

/// What `open` came to; a column that is closed without being withheld is one that is not fetched, because the plugin
/// did not ask for it when the run was planned.
fn refused(part: &Part, withheld: &Withheld, error: &CallError) -> Error {
    let CallError::Withheld { columns, .. } = error else { return part.transform_error(error) };
    let told = part.rules.check_names(part.name(), withheld, columns.iter());
    told.err().unwrap_or_else(|| turned(part, "other columns under `reads`"))
}

fn unrecovered(part: &Part, error: &CallError) -> Error {
    part.transform_error(error).explained("its state could not be brought back after a batch that broke it")
}

/// An instance that answers `open` otherwise than the planned one did: what was checked then would not hold now.
pub(crate) fn same_answer(part: &Part, planned: &Opened, now: &Opened) -> Result<(), Error> {
    let what = if planned.output != now.output {
        "another output schema"
    } else if planned.sources != now.sources {
        "other sources of its output columns"
    } else if planned.reads != now.reads {
        "other columns under `reads`"
    } else {
        return Ok(());
    };
    Err(turned(part, what))
}

fn turned(part: &Part, what: &str) -> Error {
    let rule = format!("it answered with {what} than when the run was planned");
    let plugin = part.name().to_owned();
    part.transform_error(&CallError::Contract { plugin, call: "open", rule })
}
