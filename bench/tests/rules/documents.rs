//! What the documents show of runs and of code.

use std::path::Path;

use bench::advice;
use bench::run::folder;
use bench::run::full::Full;
use bench::text::guide;
use bench::text::splice::{self, Part, Spliced};

use crate::rules::{files, read};

pub(crate) fn every_spliced_part_is_as_it_is_made(root: &Path) {
    for document in files(root, &[".md"]) {
        let text = read(&document);
        let within = document.parent().unwrap().strip_prefix(root).unwrap();
        let parts = splice::parts(&text);
        let markers = text
            .lines()
            .filter(|line| ["<!-- fanout:begin ", "<!-- fanout:end "].iter().any(|marker| line.starts_with(marker)))
            .count();
        assert_eq!(markers, 2 * parts.len(), "{}: each part has two markers, and is there once", document.display());
        for Spliced { part, runs } in parts {
            let made =
                part.render(root, &runs, within).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
            let new = splice::splice(&text, part, &runs, &made).unwrap();
            let what = [&[part.name().to_owned()], &*runs].concat().join(" ");
            let document = document.strip_prefix(root).unwrap().display();
            assert!(new == text, "`scripts/compare.sh splice {what} --into {document}` makes it anew");
        }
    }
}

/// The lines that a reader copies are those that the harness is built with.
pub(crate) fn the_page_about_allocators_has_the_lines_of_the_harness(root: &Path) {
    let source = read(root.join("shared/harness/src/allocator.rs"));
    let lines: Vec<&str> = source.lines().filter(|line| line.starts_with("static ")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let page = read(root.join("docs/allocators.md"));
    for line in lines {
        let block = format!("```rust\n#[global_allocator]\n{line}\n```\n");
        assert!(page.contains(&block), "docs/allocators.md does not have {line}");
    }
    let manifest: toml::Table = read(root.join("Cargo.toml")).parse().unwrap();
    let versions = &manifest["workspace"]["dependencies"];
    let mimalloc = versions["mimalloc"]["version"].as_str().unwrap();
    for (name, version) in
        [("mimalloc", mimalloc), ("tikv-jemallocator", versions["tikv-jemallocator"].as_str().unwrap())]
    {
        let compatible = version.rsplit_once('.').unwrap().0;
        let line = format!("{name} = \"{compatible}\"\n");
        assert!(page.contains(&line), "docs/allocators.md does not have {line}");
    }
}

/// What the guide says is held against what was measured last.
pub(crate) fn the_newest_full_run_contradicts_no_line_of_the_guide(root: &Path) {
    let is_committed = |dir: &Path| dir.parent().is_some_and(|results| results.ends_with("results"));
    let newest =
        folder::newest(root, |dir| is_committed(dir) && advice::has_sweeps(dir)).expect("a full run in results");
    let name = newest.file_name().unwrap().to_string_lossy().into_owned();
    let full = Full::read(&newest).unwrap();
    assert_eq!(guide::contradicted(&full), Vec::<String>::new(), "results/{name}");
    let readme = splice::parts(&read(root.join("README.md")));
    for part in [Part::Guide, Part::Pictures] {
        let runs = readme.iter().filter(|it| it.part == part).flat_map(|it| &it.runs);
        assert_eq!(runs.collect::<Vec<_>>(), [&format!("results/{name}")], "README.md, `{}`", part.name());
    }
}

pub(crate) fn the_readme_shows_the_strategies_and_the_notebook(root: &Path) {
    let parts: Vec<Part> = splice::parts(&read(root.join("README.md"))).into_iter().map(|it| it.part).collect();
    for part in [Part::Strategies, Part::Notebook] {
        assert!(parts.contains(&part), "README.md has no part `{}`", part.name());
    }
    for page in ["docs/allocators.md", "docs/unequal-keys.md"] {
        let parts = splice::parts(&read(root.join(page)));
        assert!(parts.iter().any(|it| it.part == Part::Sweep), "{page} has no part `{}`", Part::Sweep.name());
    }
}
