//! Tables for a terminal.

use super::{brief, clean};

/// One line a row; the columns are as wide as they must be. What a cell holds cannot steer the terminal.
#[must_use]
pub fn columns(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| brief(&clean(cell))).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// A time of the wire to the second, in UTC.
#[must_use]
pub fn plain_time(time: &str) -> String {
    time.get(..19).unwrap_or_default().replace('T', " ")
}
