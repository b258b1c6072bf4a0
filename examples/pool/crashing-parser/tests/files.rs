//! Runs the program on files that its parser reads, refuses, dies of and never ends with.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, files: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_crashing-parser")).args(files).current_dir(folder).output()
}

#[test]
fn each_file_costs_its_own_result() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crashing-parser");
    fs::create_dir_all(&folder)?;
    let files = [
        ("first", String::from("[1, [2, 3], []]")),
        ("nested", "[".repeat(1_000_000)),
        ("wrong", String::from("[1, x]")),
        ("looping", String::from("[1, /* and so on")),
        ("last", String::from("[4] /* the end */")),
    ];
    for (name, text) in &files {
        fs::write(folder.join(name), text)?;
    }
    let output = run(&folder, &["first", "nested", "wrong", "missing", "looping", "last"])?;
    let told = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 6, "{output:?}");
    assert_eq!(lines[0], "first: 3 numbers");
    assert!(lines[1].starts_with("nested: failed: its process ") && lines[1].contains("while computing"), "{told}");
    assert_eq!(lines[2], "wrong: failed: expected a number, found `x`");
    assert!(lines[3].starts_with("missing: failed: No such file"), "{told}");
    assert_eq!(lines[4], "looping: failed: ran past its deadline of 1s");
    assert_eq!(lines[5], "last: 1 numbers");
    assert_eq!(output.status.code(), Some(4));
    Ok(())
}

#[test]
fn without_a_file_it_says_how_it_is_used() -> io::Result<()> {
    let output = run(Path::new("."), &[])?;
    assert_eq!(output.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage:"), "{output:?}");
    Ok(())
}
