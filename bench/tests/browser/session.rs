//! A headless browser, its driver, and what a test asks of them.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use thirtyfour::common::command::{Command as Request, FormatRequestData};
use thirtyfour::extensions::cdp::ChromeDevTools;
use thirtyfour::prelude::*;
use thirtyfour::support::base64_decode;
use thirtyfour::{RequestData, SessionId};

/// What fetches the tools, and names the version of axe-core.
const FETCHED_BY: &str = include_str!("../../../scripts/test-tools.sh");

/// Where the tools are.
pub(crate) struct Tools {
    pub(crate) axe: String,
}

/// The tools, unless one is missing: then a line says so, whoever runs the test.
pub(crate) fn tools() -> Option<Tools> {
    let version = FETCHED_BY
        .lines()
        .find_map(|line| line.strip_prefix("axe='")?.strip_suffix('\''))
        .expect("the script names it");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let axe = std::fs::read_to_string(root.join("target/tools").join(version).join("axe.min.js"));
    let is_there = |program: &str| match Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
    {
        Ok(status) => status.success(),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{program}: {error}");
            false
        }
    };
    let tools =
        [("chromium", is_there("chromium")), ("chromedriver", is_there("chromedriver")), (version, axe.is_ok())];
    let missing: Vec<&str> = tools.into_iter().filter(|(_, found)| !found).map(|(name, _)| name).collect();
    if missing.is_empty() {
        return Some(Tools { axe: axe.unwrap() });
    }
    // The harness keeps what a passing test prints to itself; this is for whoever reads the log.
    let missing = missing.join(", no ");
    let _ = writeln!(
        io::stderr(),
        "no {missing} (scripts/test-tools.sh fetches them): the page of a run was not tried in a browser"
    );
    None
}

/// A driver, which ends with this value.
pub(crate) struct Driver {
    child: Child,
    pub(crate) address: String,
}

impl Driver {
    pub(crate) fn start() -> Driver {
        let mut command = Command::new("chromedriver");
        let mut child =
            command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned()));
        // Nobody may make it wait by not reading what it says later.
        std::thread::spawn(move || lines.for_each(drop));
        let port = port.expect("chromedriver says its port");
        Driver { child, address: format!("http://127.0.0.1:{}", port.trim_end_matches('.')) }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with one window.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    tools: ChromeDevTools,
    screenshots: Arc<PathBuf>,
}

const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Telephones have none that take room.
    "--hide-scrollbars",
];

impl Browser {
    pub(crate) async fn open(driver: &Driver, profile: &Path, screenshots: PathBuf) -> Browser {
        let mut capabilities = DesiredCapabilities::chrome();
        for flag in FLAGS {
            capabilities.add_arg(flag).unwrap();
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
        let mut capabilities: Capabilities = capabilities.into();
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        let driver = WebDriver::new(&driver.address, capabilities).await.unwrap();
        let tools = ChromeDevTools::new(driver.handle.clone());
        Browser { driver, tools, screenshots: Arc::new(screenshots) }
    }

    pub(crate) async fn show(&self, page: &Path) {
        self.driver.goto(format!("file://{}", page.display())).await.unwrap();
    }

    /// What a script in the page returns.
    pub(crate) async fn js(&self, script: &str) -> Value {
        let result = self.driver.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// The same, as a list of strings.
    pub(crate) async fn strings(&self, script: &str) -> Vec<String> {
        serde_json::from_value(self.js(script).await).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub(crate) async fn cdp(&self, method: &str, parameters: Value) -> Value {
        let result = self.tools.execute_cdp_with_params(method, parameters).await;
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) async fn size(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// The medium, and whether it is dark.
    pub(crate) async fn medium(&self, medium: &str, scheme: &str) {
        // What moves slowly is not where it will be when it is looked at.
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}, still]);
        self.cdp("Emulation.setEmulatedMedia", json!({"media": medium, "features": features})).await;
    }

    /// One key after another.
    pub(crate) async fn press(&self, keys: &[Key]) {
        let all =
            keys.iter().fold(self.driver.action_chain(), |chain, key| chain.key_down(key.clone()).key_up(key.clone()));
        all.perform().await.unwrap();
    }

    /// A key, with another held meanwhile.
    pub(crate) async fn press_with(&self, held: Key, key: Key) {
        let chain = self.driver.action_chain().key_down(held.clone()).key_down(key.clone()).key_up(key).key_up(held);
        chain.perform().await.unwrap();
    }

    /// The whole page as a picture, for people.
    pub(crate) async fn screenshot(&self, name: &str) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.cdp("Page.captureScreenshot", whole).await;
        self.keep(name, picture["data"].as_str().unwrap());
    }

    /// Writes what the browser has sent.
    pub(crate) fn keep(&self, name: &str, base64: &str) {
        std::fs::write(self.screenshots.join(name), base64_decode(base64).unwrap()).unwrap();
    }

    /// What the console has, from when it was last asked: every message of the page, and every violation of its policy.
    pub(crate) async fn console(&self) -> Vec<Value> {
        self.driver.handle.cmd(Log).await.unwrap().value().unwrap()
    }
}

/// Asks for the console.
#[derive(Debug)]
struct Log;

impl FormatRequestData for Log {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let (uri, body) = (format!("session/{session}/se/log").into(), Some(json!({"type": "browser"})));
        // The method's type has no name here; this one is posted too.
        RequestData { uri, body, ..Request::Refresh.format_request(session) }
    }
}
