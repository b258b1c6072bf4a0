//! Where everything stands on the page.

use std::fmt::Write;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Page;
use super::document::{self, Block, Content, Place};
use super::table::{self, About};
use crate::numbers::curves::Figure;
use crate::run::folder::{MACHINE, PLAN, SAMPLES};

/// A run or a sweep by its headings.
struct Part {
    /// Begins the names of its anchors. Empty for the run.
    name: String,
    title: Content,
    warnings: Vec<Content>,
    /// The first is what comes before any heading.
    sections: Vec<Section>,
}

/// What stands below a heading.
struct Section {
    heading: Content,
    blocks: Vec<Block>,
}

/// The heading below which the machine is.
const MACHINE_SECTION: &str = "How it was made";

/// As many lines of commands are shown at once. More push all that follows off the screen, and whoever wants them opens them.
const LINES_SHOWN: usize = 12;

/// The whole document around its content.
pub(super) fn whole(page: &Page, nonce: &str, content: &Markup) -> Markup {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; \
         form-action 'none'"
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " – fanout" }
                style nonce=(nonce) { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (content)
                script nonce=(nonce) { (PreEscaped(include_str!("script.js"))) }
            }
        }
    }
}

/// All that is seen.
pub(super) fn content(page: &Page) -> Markup {
    let names: Vec<String> = page.figures.iter().map(|(figure, _)| anchor("", &figure.name)).collect();
    let pictures: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = part("", &page.readme, Place { base: "", pictures: &pictures });
    let sweeps: Vec<Part> = page
        .sweeps
        .iter()
        .map(|(name, readme)| part(name, readme, Place { base: &format!("{name}/"), pictures: &pictures }))
        .collect();
    let (machine, tables): (Vec<&Section>, Vec<&Section>) =
        run.sections[1..].iter().partition(|section| section.heading.text == MACHINE_SECTION);
    let notes: Vec<Content> = page.notes.iter().flat_map(|note| paragraphs(note)).collect();
    let has_warnings = !run.warnings.is_empty() || !notes.is_empty() || sweeps.iter().any(|it| !it.warnings.is_empty());
    html! {
        a.skip href="#main" { "Skip to the results" }
        header {
            p.kicker { "A run of fanout. " code { "compare report" } " makes this page again from the files beside it." }
            h1 { (page.title) }
            p.lead { (page.headline) }
        }
        nav aria-label="Sections of this page" {
            ul {
                @if has_warnings { li { a href="#warnings" { "Warnings" } } }
                li { a href="#results" { "Results" } }
                @if !page.figures.is_empty() { li { a href="#pictures" { "Pictures" } } }
                @for section in &tables { li { a href={ "#" (anchor("", &section.heading.text)) } { (section.heading.text) } } }
                @for sweep in &sweeps { li { a href={ "#sweep-" (sweep.name) } { "Sweep: " (sweep.name) } } }
                @if !machine.is_empty() { li { a href="#machine" { "Machine" } } }
                li { a href="#files" { "Raw samples" } }
            }
            form.filter role="search" hidden {
                label for="filter" { "Show rows whose name contains" }
                input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder="all";
                p role="status" {}
            }
        }
        main id="main" tabindex="-1" {
            @if has_warnings { (warnings(&run, &notes, &sweeps)) }
            section aria-labelledby="results" {
                h2 id="results" { "Results" }
                (blocks(&run, &run.sections[0], "results"))
            }
            @if !page.figures.is_empty() { (self::pictures(&page.figures)) }
            @for section in &tables { (self::section(&run, section, 2)) }
            @for sweep in &sweeps { (self::sweep(sweep)) }
            @for section in &machine {
                section aria-labelledby="machine" {
                    h2 id="machine" { "The machine, and how the run was made" }
                    (blocks(&run, section, "machine"))
                }
            }
            (files(&page.files))
            div id="tip" role="tooltip" hidden {}
        }
    }
}

/// Cuts a README at its headings.
fn part(name: &str, readme: &str, place: Place) -> Part {
    let nothing = || Content { html: PreEscaped(String::new()), text: String::new() };
    let first = Section { heading: nothing(), blocks: Vec::new() };
    let mut part = Part { name: name.to_owned(), title: nothing(), warnings: Vec::new(), sections: vec![first] };
    for block in document::blocks(readme, place) {
        match block {
            Block::Heading { level: 1, content } => part.title = content,
            Block::Heading { level: 2, content } => {
                part.sections.push(Section { heading: content, blocks: Vec::new() });
            }
            Block::Warning(content) => part.warnings.push(warning(content)),
            // The page is another file, and says so itself.
            Block::Paragraph(content) if content.text.starts_with("Made by compare from") => {}
            Block::Picture => {}
            block => part.sections.last_mut().expect("there is a first").blocks.push(block),
        }
    }
    part
}

/// A warning among others, which need not each say what they are.
fn warning(content: Content) -> Content {
    let html = content.html.0.replacen("<strong>Warning:</strong> ", "", 1);
    Content { html: PreEscaped(html), ..content }
}

fn paragraphs(markdown: &str) -> Vec<Content> {
    let blocks = document::blocks(markdown, Place { base: "", pictures: &[] }).into_iter();
    blocks.filter_map(|block| if let Block::Paragraph(content) = block { Some(content) } else { None }).collect()
}

/// The name of an anchor: what is in `text`, and for a sweep its name before that.
fn anchor(part: &str, text: &str) -> String {
    let words = text.split(|next: char| !next.is_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join("-").to_lowercase();
    if part.is_empty() { words } else { format!("sweep-{part}-{words}") }
}

fn warnings(run: &Part, notes: &[Content], sweeps: &[Part]) -> Markup {
    html! {
        section.warnings aria-labelledby="warnings" {
            h2 id="warnings" { "Warnings" }
            ul {
                @for warning in &run.warnings { li { (warning.html) } }
                @for note in notes { li { (note.html) } }
                @for sweep in sweeps.iter().filter(|sweep| !sweep.warnings.is_empty()) {
                    li { a href={ "#sweep-" (sweep.name) } { "The sweep " (sweep.name) " has warnings of its own" } "." }
                }
            }
        }
    }
}

/// The pictures are images of their own: nothing in one can reach the page, or another.
fn pictures(figures: &[(Figure, String)]) -> Markup {
    html! {
        section aria-labelledby="pictures" {
            h2 id="pictures" { "Pictures" }
            @for (figure, svg) in figures {
                figure aria-labelledby=(anchor("", &figure.name)) {
                    h3 id=(anchor("", &figure.name)) { (figure.title) }
                    img src=(as_address(svg)) alt={ (figure.title) ". Described below." };
                    figcaption { (figure.caption) }
                }
            }
        }
    }
}

/// An SVG document as an address that holds all of it.
fn as_address(svg: &str) -> String {
    let mut address = String::from("data:image/svg+xml,");
    for byte in svg.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => address.push(byte.into()),
            // These keep their meaning in a data URL and need no escape in an attribute of HTML.
            b' ' | b'=' | b'/' | b':' | b';' | b',' | b'.' | b'-' | b'_' | b'(' | b')' | b'\'' => {
                address.push(byte.into());
            }
            _ => write!(address, "%{byte:02X}").expect("a string takes all"),
        }
    }
    address
}

fn section(part: &Part, section: &Section, level: u8) -> Markup {
    let id = anchor(&part.name, &section.heading.text);
    let heading = &section.heading.html;
    html! {
        @if level > 2 && section.heading.text == MACHINE_SECTION {
            // Each sweep has the same machine.
            section aria-labelledby=(id) {
                details { summary { h3 id=(id) { (heading) } } (blocks(part, section, &id)) }
            }
        } @else { section aria-labelledby=(id) {
            @if level == 2 { h2 id=(id) { (heading) } } @else { h3 id=(id) { (heading) } }
            (blocks(part, section, &id))
        } }
    }
}

fn sweep(part: &Part) -> Markup {
    let id = format!("sweep-{}", part.name);
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { "Sweep " (part.title.html) }
            @if !part.warnings.is_empty() {
                ul.warnings { @for warning in &part.warnings { li { (warning.html) } } }
            }
            (blocks(part, &part.sections[0], &format!("{id}-tables")))
            @for section in &part.sections[1..] { (self::section(part, section, 3)) }
        }
    }
}

/// What stands in a section. Where it has several tables, or no heading, the paragraph above each is its caption; else the
/// heading is.
fn blocks(part: &Part, section: &Section, id: &str) -> Markup {
    let tables = section.blocks.iter().filter(|block| matches!(block, Block::Table(_))).count();
    let asks = tables > 1 || section.heading.text.is_empty();
    let is_caption = |index: usize| asks && matches!(section.blocks.get(index + 1), Some(Block::Table(_)));
    let heading = if section.heading.text.is_empty() { &part.title } else { &section.heading };
    html! {
        @for (index, block) in section.blocks.iter().enumerate() {
            @match block {
                Block::Table(table) => {
                    @let above = index.checked_sub(1).and_then(|above| section.blocks.get(above));
                    @let (caption, is_heading) = match above {
                        Some(Block::Paragraph(paragraph)) if asks => (paragraph, false),
                        _ => (heading, true),
                    };
                    @let id = format!("{id}-table-{index}");
                    (table::render(table, &About { id: &id, section: &section.heading.text, caption, is_heading }))
                }
                Block::Picture => {}
                Block::Paragraph(_) if is_caption(index) => {}
                Block::Paragraph(content) => p { (content.html) },
                Block::Heading { content, .. } => h4 { (content.html) },
                Block::Warning(content) => div.warnings { (content.html) },
                Block::List(items) if section.heading.text == MACHINE_SECTION => (named(items)),
                Block::List(items) => ul { @for item in items { li { (item.html) } } },
                Block::Code(text) => (code(text)),
                Block::Other(html) => (html),
            }
        }
    }
}

/// A list of `name: value`.
fn named(items: &[Content]) -> Markup {
    let halves: Option<Vec<(&str, &str)>> = items.iter().map(|item| item.html.0.split_once(": ")).collect();
    let Some(halves) = halves else { return html! { ul { @for item in items { li { (item.html) } } } } };
    html! {
        dl {
            @for (name, value) in halves { div { dt { (PreEscaped(name)) } dd { (PreEscaped(value)) } } }
        }
    }
}

fn code(text: &str) -> Markup {
    let lines = text.lines().count();
    html! {
        @if lines > LINES_SHOWN {
            details { summary { "Show " (lines) " lines" } pre { code { (text) } } }
        } @else {
            pre { code { (text) } }
        }
    }
}

fn files(files: &[String]) -> Markup {
    let about = |file: &str| match file.rsplit('/').next().unwrap_or_default() {
        SAMPLES => "one line for each sample, as it was taken",
        PLAN => "the plan: jobs, rows, cells, when to stop; and how the run ended",
        MACHINE => "the machine and the build",
        _ => "the tables as text",
    };
    html! {
        section aria-labelledby="files" {
            h2 id="files" { "Raw samples" }
            @if files.is_empty() { p { "None of the files that this page was made from is beside it." } }
            ul { @for file in files { li { a.file href=(file) { (file) } ": " (about(file)) } } }
        }
    }
}
