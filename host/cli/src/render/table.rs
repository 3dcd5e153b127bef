//! Tables that fit the terminal: narrow cells, and wide tables cut with the number of columns left out.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use console::{Term, measure_text_width, truncate_str};

use crate::output::clean;

/// Longest text of a cell, in terminal columns; longer ones end in an ellipsis.
const CELL_MAX_WIDTH: usize = 28;
/// Width when standard output is no terminal, in terminal columns.
const DEFAULT_WIDTH: usize = 120;
/// Blanks around a cell and between two of them, in terminal columns.
const CELL_PADDING: usize = 3;
/// The line about left-out columns is never shorter than this, in terminal columns.
const NOTE_MIN_WIDTH: usize = 40;
/// Names of left-out columns that are still listed.
const LISTED_COLUMNS: usize = 8;

/// One line under the header and nothing else: reads well, and copies well into a document.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction(' '));

/// The width to draw for.
pub fn terminal_width() -> usize {
    Term::stdout().size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| usize::from(columns))
}

/// A table of rows, cut to `width`; every text is cleaned of what a terminal would obey.
pub fn cut(columns: &[String], rows: &[Vec<String>], width: usize) -> String {
    let header: Vec<String> = columns.iter().map(|name| cell(name)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
    let shown = columns_that_fit(&header, &rows, width);
    let mut text = draw(&header[..shown], rows.iter().map(|row| &row[..shown.min(row.len())]));
    if shown < header.len() {
        text.push('\n');
        text.push_str(&truncate_str(&left_out(&header[shown..]), width.max(NOTE_MIN_WIDTH), "…"));
    }
    text
}

/// As [`cut`] for a table whose last column is a sentence: it takes what the others leave.
pub fn last_in_full(columns: &[String], rows: &[Vec<String>], width: usize) -> String {
    let last = columns.len().saturating_sub(1);
    let header: Vec<String> = columns.iter().map(|name| cell(name)).collect();
    let mut rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter().take(last).map(|text| cell(text)).chain(row.iter().skip(last).map(|text| clean(text))).collect()
        })
        .collect();
    let widest = |index: usize| {
        rows.iter().filter_map(|row| row.get(index)).chain([&header[index]]).map(|text| measure_text_width(text)).max()
    };
    let used: usize = (0..last).filter_map(widest).map(|width| width + CELL_PADDING).sum();
    let left = width.saturating_sub(used + 2).max(CELL_MAX_WIDTH);
    rows.iter_mut()
        .filter_map(|row| row.get_mut(last))
        .for_each(|text| *text = truncate_str(text, left, "…").into_owned());
    draw(&header, rows.iter().map(Vec::as_slice))
}

/// A table of our own words, never cut.
pub fn whole(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|text| clean(text)).collect()).collect();
    draw(&header, rows.iter().map(Vec::as_slice))
}

/// A line of a text file, cut to `width`.
pub fn line(text: &str, width: usize) -> String {
    truncate_str(&clean(text), width, "…").into_owned()
}

fn cell(text: &str) -> String {
    truncate_str(&clean(text), CELL_MAX_WIDTH, "…").into_owned()
}

/// At least one column, then as many of the leading ones as fit.
fn columns_that_fit(header: &[String], rows: &[Vec<String>], width: usize) -> usize {
    let mut used = 0;
    for (index, name) in header.iter().enumerate() {
        let cells = rows.iter().filter_map(|row| row.get(index)).chain([name]);
        used += cells.map(|text| measure_text_width(text)).max().unwrap_or(0) + CELL_PADDING;
        if used > width && index > 0 {
            return index;
        }
    }
    header.len()
}

fn left_out(names: &[String]) -> String {
    let listed = names.iter().take(LISTED_COLUMNS).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > LISTED_COLUMNS { ", …" } else { "" };
    let columns = if names.len() == 1 { "column" } else { "columns" };
    format!(" … {} more {columns}: {listed}{more}", names.len())
}

/// Numbers and byte sizes line up on the right; a null has no say.
fn is_number(text: &str) -> bool {
    const UNITS: [&str; 5] = [" B", " KiB", " MiB", " GiB", " TiB"];
    let digits = UNITS.iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text);
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    text == "null" || (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.')))
}

fn draw<'a>(header: &[String], rows: impl Iterator<Item = &'a [String]>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.to_vec());
    let mut all_numbers = vec![true; header.len()];
    for row in rows {
        all_numbers.iter_mut().zip(row).for_each(|(all, text)| *all &= is_number(text));
        table.add_row(row.to_vec());
    }
    let numbers = table.column_iter_mut().zip(all_numbers).filter(|(_, all)| *all);
    numbers.for_each(|(column, _)| column.set_cell_alignment(CellAlignment::Right));
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_beyond_the_width_are_counted_and_named() {
        let columns: Vec<String> = (0..30).map(|i| format!("Column{i}")).collect();
        let rows = vec![columns.clone()];
        let text = cut(&columns, &rows, 40);
        assert!(text.contains("Column0") && text.ends_with('…'), "{text}");
        assert!(text.contains("… 26 more columns: Column4, "), "{text}");
        assert!(text.lines().take(3).all(|line| measure_text_width(line) <= 40), "{text}");
    }

    #[test]
    fn long_cells_are_cut_and_escapes_shown() {
        let rows = vec![vec!["x".repeat(100), "a\u{1b}[31mb".to_owned()]];
        let text = cut(&texts(&["long", "wild"]), &rows, 80);
        assert!(text.contains(&format!("{}…", "x".repeat(27))), "{text}");
        assert!(text.contains("a\\u{1b}[31mb") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn numbers_stand_on_the_right_and_names_with_digits_do_not() {
        let rows = vec![texts(&["3i", "7"]), texts(&["x", "-1,200.5"]), texts(&["y", "null"])];
        let text = cut(&texts(&["name", "number"]), &rows, 80);
        assert!(text.contains("\n 3i            7"), "{text}");
        assert!(is_number("208.2 KiB") && !is_number("3i") && !is_number(""));
    }

    #[test]
    fn one_column_is_always_shown_and_short_rows_do_no_harm() {
        let text = cut(&texts(&["a_long_name", "b"]), &[texts(&["1"]), vec![]], 4);
        assert!(text.contains("a_long_name") && text.contains("1 more column: b"), "{text}");
        assert!(cut(&[], &[], 10).len() < 20);
    }
}
