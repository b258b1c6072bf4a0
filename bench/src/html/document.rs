//! The markdown of a run as blocks of HTML.
//!
//! What a program has printed stands in that markdown. It is text here, whatever it looks like: raw HTML is escaped, and a
//! link leads to the web, to a file below the run or nowhere.

use maud::{Markup, PreEscaped};
use pulldown_cmark::html::push_html;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

/// A part of the document between two others.
#[derive(Debug)]
pub(super) enum Block {
    /// The title, and the headings below it.
    Heading {
        /// 1 is the title.
        level: usize,
        /// What it says.
        content: Content,
    },
    /// A quotation: what one should know before believing a run.
    Warning(Content),
    /// A paragraph.
    Paragraph(Content),
    /// A paragraph that is a picture, and that picture is on the page.
    Picture,
    /// A list without numbers.
    List(Vec<Content>),
    /// A table.
    Table(Table),
    /// Lines as they are typed.
    Code(String),
    /// Anything else.
    Other(Markup),
}

/// A line of text.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// As HTML.
    pub(super) html: Markup,
    /// Without any markup.
    pub(super) text: String,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// The head of each column, and whether it holds numbers.
    pub(super) columns: Vec<(Content, bool)>,
    /// The rows below.
    pub(super) rows: Vec<Vec<Content>>,
}

/// Where the document lies, seen from the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// What a relative link in it begins with: nothing, or `grain/`.
    pub(super) base: &'a str,
    /// The pictures on the page, by the name of their file without its ending.
    pub(super) pictures: &'a [&'a str],
}

/// All blocks of a document.
pub(super) fn blocks(markdown: &str, place: Place) -> Vec<Block> {
    let events = events(markdown, place);
    let mut blocks = Vec::new();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(length(rest));
        blocks.push(block(whole));
        rest = after;
    }
    blocks
}

/// How many events the first element has.
fn length(events: &[Event]) -> usize {
    let mut depth = 0;
    let ends = events.iter().position(|event| {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    ends.map_or(events.len(), |last| last + 1)
}

fn block(whole: &[Event]) -> Block {
    let inner = whole.get(1..whole.len() - 1).unwrap_or_default();
    match &whole[0] {
        Event::Start(Tag::Heading { level, .. }) => Block::Heading { level: rank(*level), content: content(inner) },
        Event::Start(Tag::BlockQuote(_)) => Block::Warning(content(inner)),
        Event::Start(Tag::Paragraph) if is_picture(inner) => Block::Picture,
        Event::Start(Tag::Paragraph) => Block::Paragraph(content(inner)),
        Event::Start(Tag::List(None)) => Block::List(elements(inner)),
        Event::Start(Tag::Table(aligned)) => Block::Table(table(inner, aligned)),
        Event::Start(Tag::CodeBlock(_)) => Block::Code(text(inner)),
        _ => Block::Other(html(whole)),
    }
}

/// Whether it is a link to a picture and nothing else. No other link leads to a place on the page.
fn is_picture(inner: &[Event]) -> bool {
    let is_link = matches!(inner.first(), Some(Event::Start(Tag::Link { dest_url, .. })) if dest_url.starts_with('#'));
    is_link && length(inner) == inner.len()
}

fn rank(level: HeadingLevel) -> usize {
    level as usize
}

fn table(inner: &[Event], aligned: &[Alignment]) -> Table {
    let mut rows = lines(inner).into_iter();
    let is_number = |column: usize| aligned.get(column) == Some(&Alignment::Right);
    let heads = rows.next().unwrap_or_default();
    Table {
        columns: heads.into_iter().enumerate().map(|(column, head)| (head, is_number(column))).collect(),
        rows: rows.collect(),
    }
}

/// The rows of a table, its head first.
fn lines(mut events: &[Event]) -> Vec<Vec<Content>> {
    let mut lines = Vec::new();
    while !events.is_empty() {
        let (line, after) = events.split_at(length(events));
        lines.push(elements(&line[1..line.len() - 1]));
        events = after;
    }
    lines
}

/// The elements beside each other, without their own tags.
fn elements(mut events: &[Event]) -> Vec<Content> {
    let mut elements = Vec::new();
    while !events.is_empty() {
        let (element, after) = events.split_at(length(events));
        elements.push(content(element.get(1..element.len() - 1).unwrap_or_default()));
        events = after;
    }
    elements
}

fn content(events: &[Event]) -> Content {
    Content { html: html(events), text: text(events) }
}

fn html(events: &[Event]) -> Markup {
    let mut html = String::new();
    push_html(&mut html, events.iter().cloned());
    PreEscaped(html)
}

fn text(events: &[Event]) -> String {
    let words = events.iter().map(|event| match event {
        Event::Text(text) | Event::Code(text) => text,
        Event::SoftBreak | Event::HardBreak => " ",
        _ => "",
    });
    words.collect()
}

/// What the parser makes of the document, with nothing in it that the page does not want.
fn events<'a>(markdown: &'a str, place: Place) -> Vec<Event<'a>> {
    let mut open = Vec::new();
    let mut clean = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        clean.extend(match event {
            Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
            Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Link { dest_url, .. }) => link(&mut open, place.target(&dest_url)),
            Event::Start(Tag::Image { dest_url, .. }) => link(&mut open, place.picture(&dest_url)),
            Event::End(TagEnd::Link | TagEnd::Image) => open.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
            event => Some(event),
        });
    }
    clean
}

/// The begin of a link, if it leads anywhere. Its end must know that.
fn link<'a>(open: &mut Vec<bool>, target: Option<String>) -> Option<Event<'a>> {
    open.push(target.is_some());
    let target = CowStr::from(target?);
    let (title, id) = (CowStr::from(""), CowStr::from(""));
    Some(Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url: target, title, id }))
}

impl Place<'_> {
    /// Where a link leads from the page, if it may.
    fn target(&self, link: &str) -> Option<String> {
        let is_web = ["http://", "https://"].iter().any(|scheme| link.starts_with(scheme));
        let is_relative = !link.is_empty() && !link.contains(':') && !link.starts_with(['/', '\\', '#']);
        match () {
            () if is_web => Some(link.to_owned()),
            () if is_relative => Some(format!("{}{link}", self.base)),
            () => None,
        }
    }

    /// Where a picture is to be seen: on the page, or in its own file.
    fn picture(&self, link: &str) -> Option<String> {
        let name = link.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
        let here = self.pictures.iter().find(|picture| **picture == name);
        here.map(|picture| format!("#{picture}")).or_else(|| self.target(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(markdown: &str) -> String {
        let place = Place { base: "grain/", pictures: &["grain-warm"] };
        let show = |block| match block {
            Block::Heading { level, content } => format!("h{level} {}\n", content.html.0),
            Block::Warning(content) => format!("warning {}\n", content.html.0),
            Block::Paragraph(content) => format!("p {}\n", content.html.0),
            Block::Picture => "picture\n".to_owned(),
            Block::List(items) => items.iter().map(|item| format!("li {}\n", item.html.0)).collect(),
            Block::Table(table) => {
                let cells = table.rows.iter().flatten().map(|cell| format!("td {}\n", cell.html.0));
                cells.collect()
            }
            Block::Code(text) => format!("code {text}"),
            Block::Other(html) => html.0,
        };
        blocks(markdown, place).into_iter().map(show).collect()
    }

    #[test]
    fn what_looks_like_html_is_text() {
        let said = "<script>alert(1)</script>";
        let shown = "&lt;script&gt;alert(1)&lt;/script&gt;";
        assert_eq!(page(said), format!("p {shown}\n"));
        assert_eq!(page(&format!("a {said}")), format!("p a {shown}\n"));
        assert_eq!(page(&format!("| a |\n| - |\n| {said} |\n")), format!("td {shown}\n"));
        assert_eq!(page("# a <b>"), "h1 a &lt;b&gt;\n");
        assert_eq!(page("- <img src=x onerror=alert(1)>"), "li <p>&lt;img src=x onerror=alert(1)&gt;</p>\n\n");
    }

    #[test]
    fn a_link_leads_to_the_web_below_the_run_or_nowhere() {
        assert_eq!(page("[a](https://a.example/)"), "p <a href=\"https://a.example/\">a</a>\n");
        assert_eq!(page("[a](samples.jsonl)"), "p <a href=\"grain/samples.jsonl\">a</a>\n");
        for nowhere in ["javascript:alert(1)", "data:text/html,a", "/etc/passwd", "//a.example", "#a", "file:///a"] {
            assert_eq!(page(&format!("[a]({nowhere})")), "p a\n", "{nowhere}");
        }
    }

    #[test]
    fn a_picture_is_where_the_page_has_it() {
        assert_eq!(page("![a](grain-warm.svg)"), "picture\n");
        assert_eq!(page("See ![a](grain-warm.svg)"), "p See <a href=\"#grain-warm\">a</a>\n");
        assert_eq!(page("![a](other.svg)"), "p <a href=\"grain/other.svg\">a</a>\n");
    }

    #[test]
    fn each_block_is_what_it_was() {
        let markdown = "# a\n\n> **Warning:** b.\n\n- `c`: d\n\n```text\ne\n```\n\n1. f\n";
        let blocks = page(markdown);
        let expected = "h1 a\nwarning <p><strong>Warning:</strong> b.</p>\n\nli <code>c</code>: d\ncode e\n<ol>\n<li>f</li>\n</ol>\n";
        assert_eq!(blocks, expected);
    }
}
