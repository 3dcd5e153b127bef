//! Values prepared once in both forms: as text, and as a CSV cell with its quotes.

/// Values that cells choose from.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    text: Vec<u8>,
    csv: Vec<u8>,
    ends: Vec<(u32, u32)>,
}

impl Pool {
    /// A pool of texts, whose CSV form is the text itself in quotes.
    pub fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Pool {
        let mut pool = Pool::default();
        for value in values {
            let value = value.as_ref();
            pool.push(value.as_bytes(), value.replace('"', "\"\"").as_bytes());
        }
        pool
    }

    /// A pool of decimals, whose CSV form is a Java double's.
    pub fn decimals<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Pool {
        let mut pool = Pool::default();
        for value in values {
            let mut shown = Vec::new();
            crate::data::number::java_double(value.as_ref().as_bytes(), &mut shown);
            pool.push(value.as_ref().as_bytes(), &shown);
        }
        pool
    }

    fn push(&mut self, text: &[u8], csv: &[u8]) {
        self.text.extend_from_slice(text);
        self.csv.push(b'"');
        self.csv.extend_from_slice(csv);
        self.csv.push(b'"');
        let end = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.ends.push((end(&self.text), end(&self.csv)));
    }

    /// Values in the pool.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn span(&self, index: usize) -> ((usize, usize), (usize, usize)) {
        let (text, csv) = self.ends.get(index).copied().unwrap_or_default();
        let before = index.checked_sub(1).and_then(|index| self.ends.get(index)).copied().unwrap_or_default();
        ((before.0 as usize, text as usize), (before.1 as usize, csv as usize))
    }

    /// The value as text.
    #[inline]
    pub fn text(&self, index: usize) -> &[u8] {
        let ((start, end), _) = self.span(index);
        self.text.get(start..end).unwrap_or_default()
    }

    /// The value as a CSV cell.
    #[inline]
    pub fn csv(&self, index: usize) -> &[u8] {
        let (_, (start, end)) = self.span(index);
        self.csv.get(start..end).unwrap_or_default()
    }
}
