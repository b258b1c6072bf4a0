//! Reading tables as a person does: by their titles, and by the numbers that are shown.

/// A markdown table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    /// Without the titles and the line below them.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|title| title == column)
    }

    /// The first row that has `value` in this column.
    pub(crate) fn row(&self, column: &str, value: &str) -> Option<&[String]> {
        self.rows.iter().find(|row| self.cell(row, column) == Some(value)).map(Vec::as_slice)
    }

    /// The first cell of `row` below this title.
    pub(crate) fn cell<'a>(&self, row: &'a [String], column: &str) -> Option<&'a str> {
        self.cells(row, column).first().copied()
    }

    /// All cells of `row` below this title.
    pub(crate) fn cells<'a>(&self, row: &'a [String], column: &str) -> Vec<&'a str> {
        let cells = self.columns.iter().zip(row).filter(|(title, _)| *title == column);
        cells.map(|(_, cell)| cell.as_str()).collect()
    }
}

/// All tables of a text.
pub(crate) fn tables(text: &str) -> Vec<Table> {
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.chunk_by(|a, b| a.starts_with('|') && b.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let table =
        |block: &[&str]| Table { columns: cells(block[0]), rows: block[2..].iter().map(|line| cells(line)).collect() };
    blocks.filter(|block| block.len() > 2 && block[0].starts_with('|')).map(table).collect()
}

/// The line of a page that says what the machine's limits are: with all workers, and with one.
pub(crate) fn limits(page: &str) -> Option<[String; 2]> {
    let line = page.lines().find_map(|line| line.strip_prefix("The limit of this machine: "))?;
    let (all, one) = line.strip_suffix('.')?.split_once("; on one thread: ")?;
    Some([all.to_owned(), one.to_owned()])
}

/// Fails unless `shown` is `over` divided by `under` to the last digit that it shows.
#[track_caller]
pub(crate) fn assert_is_quotient(what: &str, shown: &str, over: &str, under: &str) {
    let bare = shown.trim_start_matches(['≥', '≤', ' ']);
    let bare = bare.split(" [").next().unwrap();
    let (digits, unit) = match bare.strip_suffix('×') {
        Some(digits) => (digits, 1.0),
        None => (bare.strip_suffix(" %").unwrap_or_else(|| panic!("{what}: {shown} is no ratio")), 0.01),
    };
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let value: f64 = digits.parse().unwrap_or_else(|_| panic!("{what}: {shown}"));
    let quotient = quantity(over) / quantity(under) / unit;
    // A quotient that ends in exactly 5 may be rounded to either side.
    let apart = (value - quotient).abs() * 10f64.powi(decimals as i32);
    assert!(apart <= 0.5 + 1e-6, "{what}: {shown} is not {over} ÷ {under}, which is {quotient}");
}

/// `412 ms ± 9` in seconds, `≥ 3.76 MB` in bytes.
fn quantity(cell: &str) -> f64 {
    let mut words = cell.trim_start_matches(['≥', '≤', ' ']).split(' ');
    let number: f64 = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{cell}"));
    let unit = match words.next() {
        Some("s" | "B") => 1.0,
        Some("ms") => 1e-3,
        Some("µs") => 1e-6,
        Some("ns") => 1e-9,
        Some("kB") => 1e3,
        Some("MB") => 1e6,
        Some("GB") => 1e9,
        _ => panic!("{cell} has no unit"),
    };
    number * unit
}
