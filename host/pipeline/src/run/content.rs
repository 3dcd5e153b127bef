//! The content hash of rows: the same for the same values, however they are cut into batches.
//!
//! Each column has up to three streams of XXH3-128
//! (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>): which rows are valid, a bit each; the values as
//! Arrow has them, little-endian, with zeros under nulls; the lengths of texts. The hash of rows is that of the number of
//! rows and, column by column, of name, type and streams. It finds mistakes, not forgers: XXH3 is no cryptographic hash.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, Utf8Type};
use arrow_array::{Array, GenericByteArray, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::bare::is_bare;

/// What came into a unit, and what the destination took of it.
///
/// As long as the destination takes the very columns that were read, batch by batch, they are hashed once.
#[derive(Default)]
pub(crate) struct Content {
    pub read: ContentHash,
    /// kept once the destination took something else than was read
    written: Option<ContentHash>,
    /// the batch that is on its way, not in `read` yet
    current: Option<RecordBatch>,
    /// the destination took it, as it was read
    took_current: bool,
}

impl Content {
    /// A batch was read; [`Content::through`] follows when its rows have gone their way.
    pub(crate) fn enter(&mut self, batch: &RecordBatch) {
        (self.current, self.took_current) = (Some(batch.clone()), false);
    }

    /// The destination took rows.
    pub(crate) fn wrote(&mut self, batch: &RecordBatch) {
        let is_as_read = || self.current.as_ref().is_some_and(|read| is_same(read, batch));
        if self.written.is_none() && !self.took_current && is_as_read() {
            self.took_current = true;
            return;
        }
        self.part().update(batch);
    }

    /// The rows of the batch have gone their way.
    pub(crate) fn through(&mut self) {
        let Some(batch) = self.current.take() else { return };
        if !self.took_current && self.written.is_none() {
            self.part();
        }
        self.read.update(&batch);
        self.took_current = false;
    }

    /// The hash of the rows that the destination took.
    pub(crate) fn written_digest(&self) -> [u8; 16] {
        match &self.written {
            Some(written) => written.digest(),
            None => self.read.without_others().digest(),
        }
    }

    /// From here on what is written is another thing than what is read.
    fn part(&mut self) -> &mut ContentHash {
        let (read, current) = (&self.read, self.current.as_ref().filter(|_| self.took_current));
        self.written.get_or_insert_with(|| {
            let mut written = read.without_others();
            current.into_iter().for_each(|batch| written.update(batch));
            written
        })
    }
}

/// Whether both are the same columns in memory, under the same names.
fn is_same(one: &RecordBatch, other: &RecordBatch) -> bool {
    let same_columns = || one.columns().iter().zip(other.columns()).all(|(one, other)| Arc::ptr_eq(one, other));
    let (names, others) = (one.schema_ref().fields(), other.schema_ref().fields());
    names.len() == others.len()
        && one.num_rows() == other.num_rows()
        && names.iter().zip(others).all(|(name, other)| name.name() == other.name())
        && same_columns()
}

/// Takes batch after batch.
#[derive(Default, Clone)]
pub(crate) struct ContentHash {
    columns: Vec<Column>,
    rows: u64,
    /// records that became no row
    others: Option<Box<Xxh3>>,
    scratch: Vec<u8>,
}

#[derive(Clone)]
struct Column {
    /// name and type
    title: String,
    valid: Bits,
    values: Box<Xxh3>,
    /// of booleans: the values
    truths: Option<Bits>,
    /// of texts and bytes
    lengths: Option<Box<Xxh3>>,
}

/// A stream of bits, which ends where batches end and not where bytes do.
#[derive(Clone)]
struct Bits {
    hash: Box<Xxh3>,
    word: u64,
    filled: u32,
}

impl ContentHash {
    /// Adds the rows of a batch; all batches have the same columns.
    pub(crate) fn update(&mut self, batch: &RecordBatch) {
        if is_bare() {
            return;
        }
        if self.columns.is_empty() {
            self.columns = batch.schema_ref().fields().iter().map(|field| Column::new(field)).collect();
        }
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(array.as_ref(), &mut self.scratch);
        }
        self.rows += batch.num_rows() as u64;
    }

    /// The same of the rows alone.
    fn without_others(&self) -> Self {
        Self { others: None, ..self.clone() }
    }

    /// Adds a record that could not become a row.
    pub(crate) fn update_other<'a>(&mut self, number: u64, values: impl Iterator<Item = Option<&'a str>>) {
        let hash = self.others.get_or_insert_with(|| Box::new(Xxh3::new()));
        hash.update(&number.to_le_bytes());
        for value in values {
            let length = value.map_or(u64::MAX, |value| value.len() as u64);
            hash.update(&length.to_le_bytes());
            hash.update(value.unwrap_or_default().as_bytes());
        }
    }

    /// 16 bytes.
    pub(crate) fn digest(&self) -> [u8; 16] {
        let mut text = self.rows.to_le_bytes().to_vec();
        for column in &self.columns {
            text.extend_from_slice(column.title.as_bytes());
            let streams = [Some(column.valid.digest()), Some(column.values.digest128())];
            let others =
                [column.truths.as_ref().map(Bits::digest), column.lengths.as_ref().map(|hash| hash.digest128())];
            text.extend(streams.into_iter().chain(others).flatten().flat_map(u128::to_le_bytes));
        }
        text.extend(self.others.iter().flat_map(|hash| hash.digest128().to_le_bytes()));
        // The canonical form of the specification, which other programs print.
        xxh3_128(&text).to_be_bytes()
    }
}

impl Column {
    fn new(field: &arrow_schema::Field) -> Self {
        let title = format!("\n{}\t{}\t", field.name(), field.data_type());
        Self { title, valid: Bits::new(), values: Box::new(Xxh3::new()), truths: None, lengths: None }
    }

    fn update(&mut self, array: &dyn Array, scratch: &mut Vec<u8>) {
        if *array.data_type() == DataType::Null {
            return;
        }
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => {
                let chunks = nulls.inner().bit_chunks();
                self.valid.update(chunks.iter(), (chunks.remainder_bits(), chunks.remainder_len()), scratch);
            }
            None => {
                let words = std::iter::repeat_n(u64::MAX, array.len() / 64);
                self.valid.update(words, (u64::MAX, array.len() % 64), scratch);
            }
        }
        match array.data_type() {
            DataType::Utf8 => self.texts::<Utf8Type>(array.as_string(), scratch),
            DataType::Binary => self.texts::<BinaryType>(array.as_binary(), scratch),
            DataType::Boolean => self.booleans(array.as_boolean(), scratch),
            kind => match kind.primitive_width() {
                Some(1) => self.numbers::<1>(array, scratch),
                Some(2) => self.numbers::<2>(array, scratch),
                Some(4) => self.numbers::<4>(array, scratch),
                Some(8) => self.numbers::<8>(array, scratch),
                Some(16) => self.numbers::<16>(array, scratch),
                _ => self.shown(array, scratch),
            },
        }
    }

    fn numbers<const WIDTH: usize>(&mut self, array: &dyn Array, scratch: &mut Vec<u8>) {
        let data = array.to_data();
        let (start, end) = (data.offset() * WIDTH, (data.offset() + data.len()) * WIDTH);
        let Some(bytes) = data.buffers().first().and_then(|buffer| buffer.as_slice().get(start..end)) else { return };
        let Some(nulls) = data.nulls().filter(|nulls| nulls.null_count() > 0) else {
            return self.values.update(bytes);
        };
        let (values, _) = bytes.as_chunks::<WIDTH>();
        scratch.clear();
        scratch.resize(bytes.len(), 0);
        let (copies, _) = scratch.as_chunks_mut::<WIDTH>();
        for ((value, copy), is_valid) in values.iter().zip(copies).zip(nulls.iter()) {
            *copy = if is_valid { *value } else { [0; WIDTH] };
        }
        self.values.update(scratch);
    }

    fn booleans(&mut self, array: &arrow_array::BooleanArray, scratch: &mut Vec<u8>) {
        let truths = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => array.values() & nulls.inner(),
            None => array.values().clone(),
        };
        let chunks = truths.bit_chunks();
        let stream = self.truths.get_or_insert_with(Bits::new);
        stream.update(chunks.iter(), (chunks.remainder_bits(), chunks.remainder_len()), scratch);
    }

    fn texts<T: ByteArrayType<Offset = i32>>(&mut self, array: &GenericByteArray<T>, scratch: &mut Vec<u8>) {
        let offsets = array.value_offsets();
        let at = |row: usize| usize::try_from(offsets[row]).unwrap_or_default();
        scratch.clear();
        scratch.resize(array.len() * 4, 0);
        let (lengths, _) = scratch.as_chunks_mut::<4>();
        for (length, pair) in lengths.iter_mut().zip(offsets.windows(2)) {
            *length = (pair[1] - pair[0]).to_le_bytes();
        }
        let mut covered = Vec::new();
        if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
            let nulls = !nulls.inner();
            covered.extend(nulls.set_indices().filter(|row| at(*row) < at(row + 1)));
        }
        for row in &covered {
            scratch[row * 4..row * 4 + 4].fill(0);
        }
        self.lengths.get_or_insert_with(|| Box::new(Xxh3::new())).update(scratch);
        let mut start = at(0);
        for row in covered {
            self.values.update(&array.value_data()[start..at(row)]);
            start = at(row + 1);
        }
        self.values.update(&array.value_data()[start..at(array.len())]);
    }

    /// Types that do not cross to plugins: by what Arrow shows of them.
    fn shown(&mut self, array: &dyn Array, scratch: &mut Vec<u8>) {
        let options = FormatOptions::default();
        let Ok(formatter) = ArrayFormatter::try_new(array, &options) else { return };
        let lengths = self.lengths.get_or_insert_with(|| Box::new(Xxh3::new()));
        for row in 0..array.len() {
            scratch.clear();
            if array.is_valid(row) {
                // Writing to a vector cannot fail, and a value that cannot be shown leaves what there is of it.
                let _ = write!(scratch, "{}", formatter.value(row));
            }
            lengths.update(&(scratch.len() as u64).to_le_bytes());
            self.values.update(scratch);
        }
    }
}

impl Bits {
    fn new() -> Self {
        Self { hash: Box::new(Xxh3::new()), word: 0, filled: 0 }
    }

    /// Whole words, and the bits that are left of another one.
    fn update(&mut self, words: impl Iterator<Item = u64>, (rest, rest_bits): (u64, usize), scratch: &mut Vec<u8>) {
        scratch.clear();
        for word in words {
            self.push(word, 64, scratch);
        }
        let bits = u32::try_from(rest_bits).unwrap_or(0);
        if bits > 0 {
            self.push(rest & (u64::MAX >> (64 - bits)), bits, scratch);
        }
        self.hash.update(scratch);
    }

    /// `bits` of `word`, from 1 to 64; the others are zero.
    fn push(&mut self, word: u64, bits: u32, whole: &mut Vec<u8>) {
        self.word |= word << self.filled;
        if self.filled + bits < 64 {
            self.filled += bits;
            return;
        }
        whole.extend_from_slice(&self.word.to_le_bytes());
        let used = 64 - self.filled;
        self.word = word.checked_shr(used).unwrap_or(0);
        self.filled = bits - used;
    }

    fn digest(&self) -> u128 {
        let mut hash = self.hash.clone();
        hash.update(&self.word.to_le_bytes());
        hash.digest128()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int32Array, LargeStringArray, NullArray, StringArray,
    };
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{Field, Schema};

    use super::*;

    fn batch() -> RecordBatch {
        let texts = ["a", "", "bc", "ü", "def"];
        let null = |row: usize| !matches!(row, 1 | 2 | 4);
        let some = |row: usize| null(row).then_some(row);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int32Array::from_iter_values(0..5))),
            ("n", Arc::new(Int32Array::from_iter((0..5).map(|row| some(row).map(|_| 7))))),
            ("t", Arc::new(StringArray::from_iter((0..5).map(|row| some(row).map(|row| texts[row]))))),
            ("u", Arc::new(StringArray::from(texts.to_vec()))),
            ("b", Arc::new(BooleanArray::from_iter((0..5).map(|row| some(row).map(|row| row == 0))))),
            ("x", Arc::new(BinaryArray::from_iter_values(texts))),
            ("d", Arc::new(Decimal128Array::from_iter_values([1, 2, 3, 4, 5]))),
            ("l", Arc::new(LargeStringArray::from(texts.to_vec()))),
            ("z", Arc::new(NullArray::new(5))),
            ("e", Arc::new(Int32Array::from(vec![None; 5]))),
        ];
        let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).unwrap()
    }

    fn hash(batches: &[RecordBatch]) -> [u8; 16] {
        let mut hash = ContentHash::default();
        batches.iter().for_each(|batch| hash.update(batch));
        hash.digest()
    }

    #[test]
    fn the_cut_into_batches_does_not_matter() {
        let batch = batch();
        let whole = hash(std::slice::from_ref(&batch));
        for at in 0..=5 {
            for second in at..=5 {
                let cut = [batch.slice(0, at), batch.slice(at, second - at), batch.slice(second, 5 - second)];
                assert_eq!(hash(&cut), whole, "{at} {second}");
            }
        }
    }

    #[test]
    fn each_value_matters_and_its_place() {
        let batch = batch();
        let whole = hash(std::slice::from_ref(&batch));
        assert_ne!(hash(&[batch.slice(0, 4)]), whole);
        assert_ne!(hash(&[batch.slice(1, 4), batch.slice(0, 1)]), whole, "another order");
        assert_ne!(hash(&[batch.project(&[1, 0, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap()]), whole, "other columns");
        for column in 0..batch.num_columns() - 2 {
            let others = arrow_select::take::take(batch.column(column), &Int32Array::from(vec![0, 1, 2, 4, 4]), None);
            let mut columns = batch.columns().to_vec();
            columns[column] = others.unwrap();
            let changed = RecordBatch::try_new(batch.schema(), columns).unwrap();
            assert_ne!(hash(&[changed]), whole, "{}", batch.schema().field(column).name());
        }
    }

    #[test]
    fn what_lies_under_a_null_does_not_matter() {
        use arrow_array::PrimitiveArray;
        use arrow_array::types::Int32Type;
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let of = |values: Vec<i32>| {
            let nulls = vec![true, false, true].into();
            let array = PrimitiveArray::<Int32Type>::new(values.into(), Some(nulls));
            hash(&[RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(array)]).unwrap()])
        };
        assert_eq!(of(vec![1, 0, 3]), of(vec![1, 99, 3]));
        assert_ne!(of(vec![1, 0, 3]), of(vec![1, 0, 4]));
        let text = |bytes: &str, offsets: Vec<i32>| {
            let nulls = vec![true, false, true].into();
            let array =
                StringArray::new(OffsetBuffer::new(offsets.into()), bytes.as_bytes().to_vec().into(), Some(nulls));
            hash(&[RecordBatch::try_from_iter([("t", Arc::new(array) as ArrayRef)]).unwrap()])
        };
        assert_eq!(text("axxb", vec![0, 1, 3, 4]), text("ab", vec![0, 1, 1, 2]));
        assert_ne!(text("ab", vec![0, 1, 1, 2]), text("ab", vec![0, 2, 2, 2]));
    }

    #[test]
    fn long_stretches_of_bits_are_cut_anywhere() {
        let truths = BooleanArray::from_iter((0..300).map(|row| (row % 7 != 0).then_some(row % 3 == 0)));
        let texts = StringArray::from_iter((0..300).map(|row| (row % 5 != 0).then(|| "x".repeat(row % 4))));
        let columns: [(&str, ArrayRef); 2] = [("b", Arc::new(truths)), ("t", Arc::new(texts))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let whole = hash(std::slice::from_ref(&batch));
        for at in [1, 63, 64, 65, 127, 128, 200] {
            for second in [at, at + 1, at + 63, 299] {
                let cut = [batch.slice(0, at), batch.slice(at, second - at), batch.slice(second, 300 - second)];
                assert_eq!(hash(&cut), whole, "{at} {second}");
            }
        }
    }

    #[test]
    fn what_was_written_as_it_was_read_is_hashed_once_and_the_same() {
        let batch = batch();
        let (first, second) = (batch.slice(0, 2), batch.slice(2, 3));
        // Which of the two are written: as read, or as copies, or cut, or not at all.
        let copy = |batch: &RecordBatch| batch.slice(0, batch.num_rows());
        let ways: [(Vec<RecordBatch>, Vec<RecordBatch>); 6] = [
            (vec![first.clone()], vec![second.clone()]),
            (vec![copy(&first)], vec![second.clone()]),
            (vec![first.clone()], vec![copy(&second)]),
            (vec![first.clone()], vec![second.slice(0, 1), second.slice(1, 2)]),
            (vec![first.clone()], Vec::new()),
            (Vec::new(), vec![second.clone()]),
        ];
        for (one, other) in ways {
            let mut content = Content::default();
            content.read.update_other(9, [Some("x")].into_iter());
            for (read, written) in [(&first, &one), (&second, &other)] {
                content.enter(read);
                written.iter().for_each(|batch| content.wrote(batch));
                content.through();
            }
            let written: Vec<RecordBatch> = one.iter().chain(&other).cloned().collect();
            assert_eq!(content.written_digest(), hash(&written));
        }
    }

    #[test]
    fn records_that_became_no_row_count() {
        let mut hash = ContentHash::default();
        hash.update(&batch());
        let before = hash.digest();
        hash.update_other(3, [Some("a"), None].into_iter());
        assert_ne!(hash.digest(), before);
    }
}
