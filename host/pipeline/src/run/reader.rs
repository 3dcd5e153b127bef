//! A part of the result, fetched and decoded on a task of its own, so that the network and the plugins overlap.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;
use forcepump_batch::{DecodeOptions, DecodedBatch, PageDecoder};
use forcepump_salesforce::{Extract, PartRef};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::pages::PageQueue;

/// Decoded batches that wait for the plugins, beside the one being filled and the one being worked on.
const BATCHES_AHEAD: usize = 1;

/// What a page gives, in this order.
pub(crate) enum Piece {
    /// The answer's headers: rows of this page as the server says; some servers leave it out.
    Head { announced: Option<u64> },
    /// Rows, and the bytes they came from.
    Rows(DecodedBatch, u64),
    /// The page ended as it should, after so many records.
    End { records: u64 },
}

/// How pages are read; the same for all of a run.
pub(crate) struct Reading {
    pub extract: Extract,
    pub pages: PageQueue,
    pub decode: DecodeOptions,
    pub columns: Columns,
    /// rows that the passes before this one announced
    pub announced_before: u64,
}

/// Where decoded rows wait for a worker.
pub(crate) struct Room {
    /// batches that may wait once a worker takes them
    slots: Arc<Semaphore>,
    /// KiB that rows of all parts may wait in while no worker takes them, and how much of it one batch may ask for
    shared: Option<(Arc<Semaphore>, usize)>,
    /// held for as long as the part is fetched
    _turn: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// For a part that a worker takes at once.
    pub(crate) fn own() -> Self {
        Self { slots: Arc::new(Semaphore::new(BATCHES_AHEAD)), shared: None, _turn: None }
    }

    /// For a part that is fetched before a worker takes it. Its rows wait in `shared`, a semaphore of KiB, until then.
    pub(crate) fn shared(shared: &Arc<Semaphore>, most_kib: usize, turn: OwnedSemaphorePermit) -> Self {
        let shared = Some((Arc::clone(shared), most_kib));
        Self { slots: Arc::new(Semaphore::new(0)), shared, _turn: Some(turn) }
    }

    /// Waits for a place: of the part's own, which come when a worker takes it, or of the shared ones. The worker's part
    /// never waits for others, so that they cannot hold it up.
    async fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let own = Arc::clone(&self.slots).acquire_owned();
        let Some((shared, most_kib)) = &self.shared else { return own.await.ok() };
        let kib = (bytes / 1024 + 1).min(*most_kib);
        let shared = Arc::clone(shared).acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX));
        tokio::select! {
            biased;
            place = own => place.ok(),
            place = shared => place.ok(),
        }
    }
}

/// The pieces of a part as they come; who drops them gives the part up.
pub(crate) struct Pieces {
    pieces: mpsc::UnboundedReceiver<Waiting>,
    slots: Arc<Semaphore>,
    task: JoinHandle<()>,
}

/// A piece, and the place that it waits in.
type Waiting = (Result<Piece, Failure>, Option<OwnedSemaphorePermit>);

impl Pieces {
    /// A worker takes the pieces from now on.
    pub(crate) fn wanted(&self) {
        self.slots.add_permits(BATCHES_AHEAD);
    }

    /// The next piece; none after the last, and after an error.
    pub(crate) async fn recv(&mut self) -> Option<Result<Piece, Failure>> {
        self.pieces.recv().await.map(|(piece, _place)| piece)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to read a part.
pub(crate) fn read(reading: &Arc<Reading>, page: PartRef, room: Room) -> Pieces {
    // Bounded by the places in the room.
    let (sender, pieces) = mpsc::unbounded_channel();
    let slots = Arc::clone(&room.slots);
    let reading = Arc::clone(reading);
    let task = tokio::spawn(async move {
        if let Err(failure) = read_page(&reading, &page, &room, &sender).await {
            // A receiver that is gone has given the page up.
            let _ = sender.send((Err(failure), None));
        }
    });
    Pieces { pieces, slots, task }
}

async fn read_page(
    reading: &Reading,
    page: &PartRef,
    room: &Room,
    sender: &mpsc::UnboundedSender<Waiting>,
) -> Result<(), Failure> {
    let mut body = reading.extract.fetch(page).await?;
    if sender.send((Ok(Piece::Head { announced: body.announced_rows }), None)).is_err() {
        return Ok(());
    }
    let mut decoder = PageDecoder::new(body.format, Arc::clone(&reading.columns.fetched), reading.decode.clone())
        .map_err(|error| Failure::source_data(error.to_string()))?;
    let mut ready = Vec::new();
    let mut bytes = 0_u64;
    while let Some(chunk) = body.body.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        decoder.feed(&chunk, &mut ready).map_err(|error| page_fault(page, &error))?;
        if !ready.is_empty() && !send_all(&mut ready, &mut bytes, room, sender).await {
            return Ok(());
        }
    }
    let records = decoder.finish(&mut ready).map_err(|error| page_fault(page, &error))?;
    if send_all(&mut ready, &mut bytes, room, sender).await {
        let _ = sender.send((Ok(Piece::End { records }), None));
    }
    Ok(())
}

/// A page that cannot be parsed may have been cut on its way: the same page is asked for again.
fn page_fault(page: &PartRef, error: &forcepump_batch::DecodeError) -> Failure {
    Failure::source_data(format!("page {}: {error}", page.index)).again()
}

/// Sends what is decoded; false when nobody listens any more.
async fn send_all(
    ready: &mut Vec<DecodedBatch>,
    bytes: &mut u64,
    room: &Room,
    sender: &mpsc::UnboundedSender<Waiting>,
) -> bool {
    for batch in ready.drain(..) {
        let Some(place) = room.place(batch.batch.get_array_memory_size()).await else { return false };
        if sender.send((Ok(Piece::Rows(batch, std::mem::take(bytes))), Some(place))).is_err() {
            return false;
        }
    }
    true
}

/// The columns that were asked of Salesforce, and the wider schema that the plugins were opened with.
///
/// A column that nothing reads or takes is not fetched; it stands in the plugins' schema as nulls that no plugin is
/// allowed to read, so that column numbers stay what they were when the plugins were opened.
pub(crate) struct Columns {
    pub fetched: SchemaRef,
    full: SchemaRef,
    /// for each column of the full schema: its number among the fetched ones, or stand-in nulls
    places: Vec<Place>,
}

enum Place {
    Fetched(usize),
    Nulls(ArrayRef),
}

impl Columns {
    /// `kept`: numbers of the full schema's columns that are fetched, ascending; `rows`: the most a batch can have.
    pub(crate) fn new(full: &SchemaRef, kept: &[usize], rows: usize) -> Self {
        let fields = kept.iter().filter_map(|number| full.fields().get(*number).cloned()).collect::<Vec<_>>();
        let places = (0..full.fields().len())
            .map(|number| match kept.binary_search(&number) {
                Ok(position) => Place::Fetched(position),
                Err(_) => Place::Nulls(new_null_array(full.field(number).data_type(), rows)),
            })
            .collect();
        Self { fetched: Arc::new(arrow_schema::Schema::new(fields)), full: Arc::clone(full), places }
    }

    /// The fetched columns at their places in the full schema.
    pub(crate) fn widen(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        if self.fetched.fields().len() == self.full.fields().len() {
            return Ok(batch.clone());
        }
        let rows = batch.num_rows();
        let columns = self
            .places
            .iter()
            .zip(self.full.fields())
            .map(|(place, field)| match place {
                Place::Fetched(number) => Arc::clone(batch.column(*number)),
                Place::Nulls(nulls) if rows <= nulls.len() => nulls.slice(0, rows),
                Place::Nulls(_) => new_null_array(field.data_type(), rows),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.full), columns, &options)
            .map_err(|error| Failure::source_data(format!("the fetched columns do not fit the schema: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Int32Array, StringArray};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn columns_that_are_not_fetched_stand_as_nulls_at_their_places() {
        let full: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("Id", DataType::Utf8, false),
            Field::new("Name", DataType::Utf8, true),
            Field::new("Size", DataType::Int32, true),
        ]));
        let columns = Columns::new(&full, &[0, 2], 2);
        assert_eq!(columns.fetched.fields().len(), 2);
        let ids = StringArray::from(vec!["a", "b", "c"]);
        let sizes = Int32Array::from(vec![1, 2, 3]);
        let batch = RecordBatch::try_new(Arc::clone(&columns.fetched), vec![Arc::new(ids), Arc::new(sizes)]).unwrap();
        let wide = columns.widen(&batch).unwrap();
        assert_eq!(wide.schema(), full);
        assert_eq!(wide.column(1).null_count(), 3);
        assert_eq!(wide.column(2).as_ref(), batch.column(1).as_ref());
    }
}
