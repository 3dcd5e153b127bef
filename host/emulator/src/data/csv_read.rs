//! Reads CSV files (RFC 4180) that make up an org: comma, quotes doubled, LF or CRLF, BOM allowed.

/// Why a file is not CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFault {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// A reader over a whole file.
pub struct CsvReader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> CsvReader<'a> {
    /// Reads from the beginning.
    pub fn new(text: &'a str) -> CsvReader<'a> {
        CsvReader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
    }

    /// The line at which the next record begins, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The cells of the next record; `None` at the end. Empty lines are passed over.
    pub fn record(&mut self, cells: &mut Vec<String>) -> Result<bool, CsvFault> {
        cells.clear();
        self.skip_empty_lines();
        if self.rest.is_empty() {
            return Ok(false);
        }
        loop {
            let cell = self.cell()?;
            cells.push(cell);
            let mut rest = self.rest.chars();
            match rest.next() {
                Some(',') => self.rest = rest.as_str(),
                Some('\n') => {
                    self.rest = rest.as_str();
                    self.line += 1;
                    return Ok(true);
                }
                Some(_) => return Err(self.fault("text after a closing quote")),
                None => return Ok(true),
            }
        }
    }

    fn skip_empty_lines(&mut self) {
        while let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) {
            self.rest = rest;
            self.line += 1;
        }
    }

    fn fault(&self, problem: &'static str) -> CsvFault {
        CsvFault { line: self.line, problem }
    }

    fn cell(&mut self) -> Result<String, CsvFault> {
        let Some(quoted) = self.rest.strip_prefix('"') else { return Ok(self.plain()) };
        let mut out = String::new();
        let mut rest = quoted;
        loop {
            let Some(quote) = rest.find('"') else { return Err(self.fault("a quote is not closed")) };
            let (text, after) = rest.split_at(quote);
            out.push_str(text);
            let after = after.strip_prefix('"').unwrap_or(after);
            match after.strip_prefix('"') {
                Some(doubled) => {
                    out.push('"');
                    rest = doubled;
                }
                None => {
                    self.line += out.matches('\n').count();
                    self.rest = after.strip_prefix('\r').filter(|rest| rest.starts_with('\n')).unwrap_or(after);
                    return Ok(out);
                }
            }
        }
    }

    fn plain(&mut self) -> String {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text.strip_suffix('\r').unwrap_or(text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Vec<String>>, CsvFault> {
        let mut reader = CsvReader::new(text);
        let (mut cells, mut out) = (Vec::new(), Vec::new());
        while reader.record(&mut cells)? {
            out.push(cells.clone());
        }
        Ok(out)
    }

    #[test]
    fn quotes_newlines_and_line_ends() {
        let rows = all("\u{feff}a,b\r\n\"x \"\"y\"\"\n\",\r\n\n1,\"é,\"").unwrap_or_default();
        assert_eq!(rows, [["a", "b"], ["x \"y\"\n", ""], ["1", "é,"]]);
    }

    #[test]
    fn faults_name_the_line() {
        assert_eq!(all("a\n\"b"), Err(CsvFault { line: 2, problem: "a quote is not closed" }));
        assert_eq!(all("a\n\"b\"c"), Err(CsvFault { line: 2, problem: "text after a closing quote" }));
    }
}
