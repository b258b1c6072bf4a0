//! Markdown tables.

/// Which way a column's cells lean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names and text.
    Left,
    /// Numbers.
    Right,
}

/// A markdown table, its columns padded so that it reads well as text too.
pub fn markdown(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain([columns[index].0.chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let pad = |cell: &str, index: usize| match columns[index].1 {
        Align::Left => format!("{cell:<0$}", widths[index]),
        Align::Right => format!("{cell:>0$}", widths[index]),
    };
    let rule = |index: usize| match columns[index].1 {
        Align::Left => "-".repeat(widths[index]),
        Align::Right => format!("{}:", "-".repeat(widths[index] - 1)),
    };
    let mut table = line(&mut columns.iter().enumerate().map(|(index, (title, _))| pad(title, index)));
    table += &line(&mut (0..columns.len()).map(rule));
    for row in &rows {
        table += &line(&mut row.iter().enumerate().map(|(index, cell)| pad(cell, index)));
    }
    table
}

/// The columns and rows of a table without the column `head`.
pub fn without<'a>(
    head: &str,
    columns: &[(&'a str, Align)],
    mut rows: Vec<Vec<String>>,
) -> (Vec<(&'a str, Align)>, Vec<Vec<String>>) {
    let mut columns = columns.to_vec();
    if let Some(at) = columns.iter().position(|(other, _)| *other == head) {
        columns.remove(at);
        rows.iter_mut().for_each(|row| _ = row.remove(at));
    }
    (columns, rows)
}

/// What a program prints must not break the table that shows it.
fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lean_right_and_names_left() {
        let rows = [vec!["a|b".to_owned(), "412 ms ± 9".to_owned()], vec!["c\nd".to_owned(), "1 s".to_owned()]];
        insta::assert_snapshot!(markdown(&[("name", Align::Left), ("wall", Align::Right)], &rows), @r"
        | name |       wall |
        | ---- | ---------: |
        | a\|b | 412 ms ± 9 |
        | c d  |        1 s |
        ");
    }
}
