//! The page of a run in a real browser: it is used as people use it, and measured where nobody looks.
//!
//! What is shown is a recorded run with everything that may go wrong: a row that failed and wrote HTML to its stderr, a sweep
//! and one that cannot be read, and pictures. Screenshots are left in `target/browser`.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::html::{self, Page, Shown};
use bench::numbers::curves::{Axis, Bar, Bars, Drawing, Figure, Unit};
use bench::report;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::session::{Browser, Driver, Tools, tools};

mod session;

/// What a row wrote when it failed.
const SAID: &str =
    "<script>document.title = 'broken'</script><img src=x onerror=alert(1)> [a](javascript:alert(2)) | *b*";

#[test]
fn the_page_in_a_browser() {
    let Some(tools) = tools() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("browser");
    let _of_the_last_time = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let pages = pages(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let profile = tempfile::tempdir().unwrap();
        let driver = Driver::start();
        let browser = Browser::open(&driver, profile.path(), folder).await;
        // The browser is to end before its profile goes, whatever becomes of the test.
        let result = tokio::spawn(everything(browser.clone(), tools, pages)).await;
        browser.driver.quit().await.unwrap();
        if let Err(failure) = result {
            std::panic::resume_unwind(failure.into_panic());
        }
    });
}

/// The pages that are shown: one with all that a page may have, and one of the notebook, without sweeps and pictures.
struct Pages {
    full: PathBuf,
    notebook: PathBuf,
}

async fn everything(browser: Browser, tools: Tools, Pages { full, notebook }: Pages) {
    browser.driver.set_script_timeout(Duration::from_secs(60)).await.unwrap();
    browser.size(1280).await;
    for page in [&full, &notebook] {
        browser.medium("screen", "light").await;
        browser.show(page).await;
        nothing_is_loaded(&browser, page).await;
        every_link_leads_somewhere(&browser, page).await;
        each_table_has_what_a_reader_needs(&browser).await;
        it_fits(&browser, page).await;
        it_is_accessible(&browser, &tools, page).await;
    }
    browser.size(1280).await;
    browser.show(&full).await;
    what_a_program_said_is_text(&browser).await;
    it_sorts(&browser).await;
    it_filters(&browser).await;
    figures_say_what_they_are(&browser).await;
    the_keyboard_is_enough(&browser).await;
    browser.show(&notebook).await;
    what_has_no_number_is_sorted_last(&browser).await;
    browser.show(&full).await;
    it_prints(&browser).await;
    it_is_all_there_without_script(&browser, &full).await;
    assert_eq!(browser.console().await, Vec::<Value>::new());
}

/// Writes the pages below `folder`.
fn pages(folder: &Path) -> Pages {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let copy = |run: &str, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for file in ["run.json", "machine.json", "samples.jsonl"] {
            fs::copy(recorded.join(run).join(file), to.join(file)).unwrap();
        }
    };
    let (full, notebook) = (folder.join("full"), folder.join("notebook"));
    copy("run", &full);
    copy("notebook", &notebook);
    copy("sweep", &full.join("allocators"));
    let samples = fs::read_to_string(full.join("samples.jsonl")).unwrap();
    let said = samples.replacen("\"error: 3 of 20 keys failed\"", &json!(SAID).to_string(), 1);
    assert_ne!(said, samples);
    fs::write(full.join("samples.jsonl"), said).unwrap();
    fs::create_dir(full.join("size")).unwrap();
    fs::write(full.join("size/run.json"), "{").unwrap();
    let page = Page { figures: pictures(), ..Page::of(&Shown::read(&full).unwrap(), &full) };
    fs::write(full.join(html::REPORT), html::render(&page)).unwrap();
    report::write(&notebook).unwrap();
    Pages { full: full.join(html::REPORT), notebook: notebook.join(html::REPORT) }
}

/// A picture by hand: what draws them is tested elsewhere.
fn pictures() -> Vec<(Figure, String)> {
    let bar = |name: &str, value| Bar { name: name.to_owned(), value, interval: None };
    let axis = Axis { label: "time".to_owned(), unit: Unit::Seconds, is_logarithmic: false };
    let bars = vec![bar("sequential", 0.003), bar("rayon-iter", 0.004)];
    let svg = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 200">
        <style>text, rect { fill: #1b2026 } @media (prefers-color-scheme: dark) { text, rect { fill: #e7ebef } }</style>
        <text x="10" y="60">sequential</text><rect x="150" y="40" width="450" height="30"/>
        <text x="10" y="130">rayon-iter</text><rect x="150" y="110" width="600" height="30"/></svg>"##;
    let figure = |name: &str, title: &str| Figure {
        name: name.to_owned(),
        title: title.to_owned(),
        caption: "The time of a whole process, for each strategy. Shorter bars are better.".to_owned(),
        drawing: Drawing::Bars(Bars { axis: axis.clone(), bars: bars.clone(), marks: Vec::new() }),
    };
    let pictures = [("headline", "Time by strategy"), ("allocators-warm", "Warm time at one size & another")];
    pictures.map(|(name, title)| (figure(name, title), svg.to_owned())).into()
}

/// No request leaves the file, and nothing on the page is refused by its own policy.
async fn nothing_is_loaded(browser: &Browser, page: &Path) {
    let loaded = browser.strings("return performance.getEntriesByType('resource').map(entry => entry.name)").await;
    let asked: Vec<&String> = loaded.iter().filter(|name| !name.starts_with("data:")).collect();
    assert!(asked.is_empty(), "{}: {asked:?}", page.display());
    let unseen = "return [...document.images].filter(image => !image.naturalWidth).map(image => image.alt)";
    assert!(browser.strings(unseen).await.is_empty(), "a picture cannot be seen");
    let policy = "return document.querySelector('meta[http-equiv=Content-Security-Policy]').content";
    let policy = browser.js(policy).await.as_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'nonce-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(browser.console().await, Vec::<Value>::new(), "{}", page.display());
}

async fn every_link_leads_somewhere(browser: &Browser, page: &Path) {
    let links = browser.strings("return [...document.links].map(link => link.getAttribute('href'))").await;
    let (anchors, files): (Vec<&String>, Vec<&String>) = links.iter().partition(|link| link.starts_with('#'));
    assert!(anchors.len() > 4 && files.len() >= 3, "{links:?}");
    for file in files {
        let path = page.parent().unwrap().join(file);
        assert!(path.is_file(), "{}", path.display());
        browser.show(&path).await;
    }
    browser.show(page).await;
    for anchor in anchors {
        let seen = browser
            .js(&format!(
                "document.querySelector('a[href=\"{anchor}\"]').click();
                 const target = document.getElementById('{}');
                 const box = target?.getBoundingClientRect();
                 return !!box && box.top >= -1 && box.top < innerHeight;",
                &anchor[1..]
            ))
            .await;
        assert_eq!(seen, true, "{anchor} is not in sight after a click");
    }
    let ids = browser.strings("return [...document.querySelectorAll('[id]')].map(it => it.id)").await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

async fn each_table_has_what_a_reader_needs(browser: &Browser) {
    let bare = "return [...document.querySelectorAll('table')].filter(table => !table.caption?.textContent.trim() ||
        [...table.tHead.rows[0].cells].some(cell => cell.scope !== 'col' || !cell.dataset.means) ||
        [...table.tBodies[0].rows].some(row => row.querySelectorAll('th[scope=row]').length !== 1)
    ).map(table => table.textContent)";
    assert_eq!(browser.strings(bare).await, Vec::<String>::new());
    let captions = browser.strings("return [...document.querySelectorAll('caption')].map(it => it.textContent)").await;
    assert!(captions.len() >= 4, "{captions:?}");
    assert_eq!(captions.iter().collect::<BTreeSet<_>>().len(), captions.len(), "{captions:?}");
}

async fn it_fits(browser: &Browser, page: &Path) {
    for width in [360, 800, 1600] {
        browser.size(width).await;
        let beyond = browser
            .strings(
                "const wide = [...document.body.querySelectorAll('*')].filter(it => !it.closest('.scroll, .unseen, .skip'));
                 const beyond = wide.filter(it => it.getBoundingClientRect().right > innerWidth + 0.5);
                 if (document.documentElement.scrollWidth > document.documentElement.clientWidth) beyond.push(document.documentElement);
                 return beyond.map(it => it.outerHTML.slice(0, 100))",
            )
            .await;
        assert!(beyond.is_empty(), "{}: {width} px: {beyond:?}", page.display());
        browser.screenshot(&picture_name(page, &width.to_string())).await;
    }
}

/// No serious violation, in the light, in the dark, and on a telephone.
async fn it_is_accessible(browser: &Browser, tools: &Tools, page: &Path) {
    let check = format!(
        "{}\nconst done = arguments[arguments.length - 1];
         axe.run(document, {{resultTypes: ['violations']}}).then(
           result => done([result.passes.length, result.violations.map(it =>
             [it.impact, it.id, it.nodes.slice(0, 3).map(node => node.html + ' ' + node.failureSummary).join('; ')])]),
           error => done([0, [['broken', String(error), '']]]));",
        tools.axe
    );
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light")] {
        browser.size(width).await;
        browser.medium("screen", scheme).await;
        if scheme == "dark" {
            browser.screenshot(&picture_name(page, "dark")).await;
        }
        let result = browser.driver.execute_async(check.as_str(), Vec::new()).await.unwrap();
        let (passed, violated): (usize, Vec<[String; 3]>) = result.convert().unwrap();
        for [impact, rule, places] in violated {
            let is_serious = !matches!(impact.as_str(), "minor" | "moderate");
            assert!(!is_serious, "{}: {width} px, {scheme}: {rule}: {places}", page.display());
        }
        assert!(passed > 20, "{passed} rules were tried and kept");
    }
    browser.medium("screen", "light").await;
}

async fn what_a_program_said_is_text(browser: &Browser) {
    let failed = browser.js("return document.getElementById('failed').parentElement.textContent").await;
    assert!(
        failed.as_str().unwrap().contains("<script>document.title = 'broken'</script><img src=x onerror=alert(1)>")
    );
    let title = browser.driver.title().await.unwrap();
    assert!(title.starts_with("fill: 20 keys × 20,000"), "{title}");
    assert_eq!(browser.js("return [...document.images].filter(it => !it.src.startsWith('data:')).length").await, 0);
    assert_eq!(browser.js("return document.scripts.length").await, 1);
    assert_eq!(browser.js("return [...document.links].filter(it => it.protocol !== 'file:').length").await, 0);
    let warnings = browser.js("return document.getElementById('warnings').parentElement.textContent").await;
    for warning in ["Failed: process-pool.", "The sweep size cannot be read: size/run.json: ", "did not come out equal"]
    {
        assert!(warnings.as_str().unwrap().contains(warning), "{warning}: {warnings}");
    }
}

/// The names of the rows that are seen in a table.
async fn rows(browser: &Browser, table: usize) -> Vec<String> {
    let names = format!(
        "return [...document.querySelectorAll('table')[{table}].tBodies[0].rows].filter(row => row.checkVisibility())
           .map(row => row.querySelector('th').textContent)"
    );
    browser.strings(&names).await
}

/// Clicks the head of a column, and returns how the column is then said to be sorted.
async fn click_head(browser: &Browser, table: usize, head: &str) -> Value {
    let path = format!("(//table)[{}]//th[normalize-space()='{head}']//button", table + 1);
    browser.driver.find(By::XPath(path)).await.unwrap().click().await.unwrap();
    let sorted = format!(
        "const sorted = document.querySelectorAll('table')[{table}].querySelectorAll('[aria-sort]');
         return [...sorted].map(head => head.textContent + ' ' + head.getAttribute('aria-sort')).join()"
    );
    browser.js(&sorted).await
}

async fn it_sorts(browser: &Browser) {
    let as_it_was = ["sequential", "rayon-iter", "spawn-per-key"];
    assert_eq!(rows(browser, 0).await, as_it_was);
    assert_eq!(click_head(browser, 0, "memory").await, "memory ascending");
    assert_eq!(rows(browser, 0).await, ["sequential", "spawn-per-key", "rayon-iter"]);
    assert_eq!(click_head(browser, 0, "memory").await, "memory descending");
    assert_eq!(rows(browser, 0).await, ["rayon-iter", "spawn-per-key", "sequential"]);
    assert_eq!(click_head(browser, 0, "memory").await, "");
    assert_eq!(rows(browser, 0).await, as_it_was);
    assert_eq!(click_head(browser, 0, "strategy").await, "strategy ascending");
    assert_eq!(rows(browser, 0).await, ["rayon-iter", "sequential", "spawn-per-key"]);
    assert_eq!(click_head(browser, 0, "time").await, "time ascending");
    assert_eq!(rows(browser, 0).await, as_it_was);
    assert_eq!(click_head(browser, 0, "time").await, "time descending");
    assert_eq!(rows(browser, 0).await, ["spawn-per-key", "rayon-iter", "sequential"]);
    browser.screenshot("sorted.png").await;
}

async fn what_has_no_number_is_sorted_last(browser: &Browser) {
    for order in ["ascending", "descending"] {
        assert_eq!(click_head(browser, 0, "memory").await, format!("memory {order}"));
        let mut seen = rows(browser, 0).await;
        assert_eq!(seen.pop().as_deref(), Some("sequential"), "it has n/a");
        let mut expected = ["sequential.mt19937", "process-pool.mt19937", "process-pool", "python-sequential"];
        if order == "descending" {
            seen.reverse();
        }
        assert_eq!(seen[..4], expected, "{order}");
        expected.reverse();
        assert_ne!(seen[..4], expected);
    }
}

async fn it_filters(browser: &Browser) {
    let input = browser.driver.find(By::Id("filter")).await.unwrap();
    input.send_keys("RAYON").await.unwrap();
    let status = browser.js("return document.querySelector('[role=status]').textContent").await;
    let tables = browser.js("return document.querySelectorAll('table').length").await.as_u64().unwrap() as usize;
    let mut seen = 0;
    for table in 0..tables {
        let rows = rows(browser, table).await;
        assert!(rows.iter().all(|row| row.contains("rayon")), "{rows:?}");
        seen += rows.len();
    }
    assert!(seen >= 3, "{seen}");
    assert!(status.as_str().unwrap().starts_with(&format!("{seen} of ")), "{status}");
    browser.screenshot("filtered.png").await;
    input.send_keys(Key::Control + "a").await.unwrap();
    input.send_keys(Key::Backspace + "").await.unwrap();
    assert_eq!(rows(browser, 0).await.len(), 3);
    assert_eq!(browser.js("return document.querySelector('[role=status]').textContent").await, "");
}

async fn figures_say_what_they_are(browser: &Browser) {
    let tip = "const tip = document.getElementById('tip'); return tip.checkVisibility() ? tip.textContent : ''";
    let cell = browser.driver.find(By::XPath("//tr[th='rayon-iter']/td[.='≥ 3.76 MB']")).await.unwrap();
    browser.driver.action_chain().move_to_element_center(&cell).perform().await.unwrap();
    let said = browser.js(tip).await.as_str().unwrap().to_owned();
    assert!(said.starts_with("rayon-iter, memory: ≥ 3.76 MBThe largest sum of PSS over the process tree"), "{said}");
    browser.press(&[Key::Escape]).await;
    assert_eq!(browser.js(tip).await, "", "Escape sends it away");
    // The same by the keyboard, where whoever does not see it hears it.
    browser.js("document.querySelector('th button').focus()").await;
    browser.press(&[Key::Right, Key::Right, Key::Down]).await;
    let described = "const cell = document.activeElement;
        return cell.tagName + ' ' + document.getElementById(cell.getAttribute('aria-describedby')).textContent";
    let said = browser.js(described).await.as_str().unwrap().to_owned();
    assert!(said.starts_with("TD spawn-per-key, time: ") && said.contains("A whole process from start"), "{said}");
    browser.screenshot("tip.png").await;
    browser.press_with(Key::Control, Key::End).await;
    assert_eq!(browser.js("return document.activeElement.textContent").await, "≥ 1.52 MB");
}

/// As many stops as there are links, tables and a few more: what is in a table is not among them.
async fn the_keyboard_is_enough(browser: &Browser) {
    let bound =
        browser.js("return document.links.length + document.querySelectorAll('table, details, input').length").await;
    let bound = bound.as_u64().unwrap() as usize;
    browser.js("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)").await;
    browser.show(&PathBuf::from(browser.driver.current_url().await.unwrap().path())).await;
    let mut stops = Vec::new();
    for _ in 0..=bound {
        browser.press(&[Key::Tab]).await;
        let stop = browser
            .js("const at = document.activeElement;
                 if (at === document.body) return null;
                 const style = getComputedStyle(at), box = at.getBoundingClientRect();
                 const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0 &&
                   box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
                 const number = [...document.querySelectorAll('*')].indexOf(at);
                 return [number, seen, at.outerHTML.slice(0, 120)]")
            .await;
        let Ok((number, seen, html)) = serde_json::from_value::<(usize, bool, String)>(stop) else { break };
        if stops.contains(&number) {
            break;
        }
        assert!(seen, "the focus cannot be seen: {html}");
        stops.push(number);
    }
    assert!(stops.len() > 10 && stops.len() <= bound, "{} of {bound}", stops.len());
    let reached = format!(
        "const all = [...document.querySelectorAll('*')], stops = new Set({stops:?}.map(number => all[number]));
         const lost = [...document.links, ...document.querySelectorAll('input, summary')].filter(it => !stops.has(it));
         const tables = [...document.querySelectorAll('table')].filter(it => ![...stops].some(stop => it.contains(stop)));
         return [...lost, ...tables].map(it => it.outerHTML.slice(0, 120))"
    );
    assert_eq!(browser.strings(&reached).await, Vec::<String>::new(), "not reached by the tab key");
    // The keyboard sorts too.
    browser.js("document.querySelectorAll('th button')[1].focus()").await;
    browser.press(&[Key::Enter]).await;
    assert_eq!(rows(browser, 0).await[0], "rayon-iter");
}

async fn it_prints(browser: &Browser) {
    // A4, lying, within its margins.
    browser.size(1032).await;
    browser.medium("print", "dark").await;
    let controls = "return [...document.querySelectorAll('nav, input, .skip, details, [role=tooltip]')]
        .filter(it => it.checkVisibility()).map(it => it.outerHTML.slice(0, 100))";
    assert_eq!(browser.strings(controls).await, Vec::<String>::new());
    let marks = "return [...document.querySelectorAll('th button')].map(it => getComputedStyle(it, '::after').content)
        .filter(content => content !== 'none')";
    assert_eq!(browser.strings(marks).await, Vec::<String>::new());
    let cut = "return [...document.querySelectorAll('.scroll')].filter(it => it.scrollWidth > it.clientWidth + 1)
        .map(it => it.textContent.slice(0, 200))";
    assert_eq!(browser.strings(cut).await, Vec::<String>::new(), "a table is cut");
    let ground = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.js(ground).await, "rgb(255, 255, 255)");
    browser.screenshot("print.png").await;
    let printed = browser.cdp("Page.printToPDF", json!({"preferCSSPageSize": true})).await;
    browser.keep("print.pdf", printed["data"].as_str().unwrap());
    browser.medium("screen", "light").await;
}

async fn it_is_all_there_without_script(browser: &Browser, page: &Path) {
    browser.size(1280).await;
    let seen =
        "return [...document.querySelectorAll('table, img, h1, h2, h3, tr')].filter(it => it.checkVisibility()).length";
    browser.show(page).await;
    let with_script = browser.js(seen).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.show(page).await;
    browser.screenshot("without-script.png").await;
    assert_eq!(browser.js("return document.querySelectorAll('[role=grid]').length").await, 0, "the script has run");
    assert_eq!(browser.js(seen).await, with_script);
    let controls = "return [...document.querySelectorAll('button, input, select')].filter(it => it.checkVisibility())
        .map(it => it.outerHTML)";
    assert_eq!(browser.strings(controls).await, Vec::<String>::new());
    let unreachable = "return [...document.querySelectorAll('.scroll')].filter(it => it.tabIndex !== 0).length";
    assert_eq!(browser.js(unreachable).await, 0, "the keyboard must be able to scroll each table");
    let unexplained = "return [...document.querySelectorAll('thead th')].filter(it => !it.title).length";
    assert_eq!(browser.js(unexplained).await, 0);
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
}

fn picture_name(page: &Path, what: &str) -> String {
    let run = page.parent().and_then(Path::file_name).unwrap().to_string_lossy();
    format!("{run}-{what}.png")
}
