//! What the documents show of runs and of code.

use std::path::Path;

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

pub(crate) fn the_readme_shows_the_strategies_and_the_notebook(root: &Path) {
    let parts: Vec<Part> = splice::parts(&read(root.join("README.md"))).into_iter().map(|it| it.part).collect();
    for part in [Part::Strategies, Part::Notebook] {
        assert!(parts.contains(&part), "README.md has no part `{}`", part.name());
    }
}
