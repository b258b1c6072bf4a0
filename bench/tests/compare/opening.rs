//! Where the page of a run is.

use std::fs;

use crate::tree::{Tree, assert_status, stderr};

#[test]
fn a_run_has_a_page_and_open_says_where() {
    let tree = Tree::new(&["sequential", "twice"]);
    assert_status(&tree.measure(&["--rounds", "1"]), 0);
    let page = tree.run_dir().canonicalize().unwrap().join("report.html");
    let written = fs::read(&page).unwrap();
    let run = tree.run_dir();
    for arguments in [&["open"][..], &["open", run.to_str().unwrap()]] {
        let output = tree.compare(arguments).output().unwrap();
        assert_status(&output, 0);
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", page.display()));
        assert_eq!(stderr(&output), "");
    }
    fs::remove_file(&page).unwrap();
    let output = tree.compare(&["open"]).output().unwrap();
    assert_status(&output, 2);
    let dir = page.parent().unwrap().display();
    let said = format!("error: open: {dir} has no report.html; `scripts/compare.sh report {dir}` makes it\n");
    assert_eq!(stderr(&output), said);
    assert_status(&tree.compare(&["report", run.to_str().unwrap()]).output().unwrap(), 0);
    assert_eq!(fs::read(&page).unwrap(), written, "the page is a function of the other files");
}

#[test]
fn the_newest_run_is_that_of_the_latest_second_wherever_it_is() {
    let tree = Tree::new(&[]);
    let output = tree.compare(&["open"]).output().unwrap();
    assert_status(&output, 2);
    let none = "error: open: there is no run in results/local or results; `scripts/compare.sh` makes one\n";
    assert_eq!(stderr(&output), none);
    for run in ["results/local/2026-01-02T00-00-00Z", "results/2026-01-03T00-00-00Z", "results/zebra"] {
        fs::create_dir_all(tree.path(run)).unwrap();
        fs::write(tree.path(run).join("report.html"), "").unwrap();
    }
    for run in ["results/local/2026-01-02T00-00-00Z", "results/2026-01-03T00-00-00Z"] {
        fs::write(tree.path(run).join("run.json"), "{}").unwrap();
        let output = tree.compare(&["open"]).output().unwrap();
        assert_status(&output, 0);
        assert!(String::from_utf8_lossy(&output.stdout).ends_with(&format!("/{run}/report.html\n")), "{output:?}");
    }
    let output = tree.compare(&["open", "results/none"]).output().unwrap();
    assert_status(&output, 2);
    assert_eq!(stderr(&output), "error: open results/none: No such file or directory (os error 2)\n");
}
