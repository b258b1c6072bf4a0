//! The machine and the build: what a time means nothing without.
//!
//! No host name, no user name and no absolute path: results are published.

use serde::{Deserialize, Serialize};

use crate::run::answer::Interpreter;

/// What `machine.json` holds. `None` is what could not be found out here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu: Option<String>,
    /// Processors that the kernel runs on.
    pub cpus_online: Option<u64>,
    /// Processors that this process may use: affinity and quota respected.
    pub cpus_available: u64,
    /// Processors' worth of time that the cgroup allows; `None` if it sets no limit.
    pub cpu_quota: Option<f64>,
    /// Frequency governors in use; empty where the machine does not show any.
    pub governors: Vec<String>,
    /// The transparent huge page setting: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Operating system, architecture and kernel release.
    pub system: String,
    /// Before anything was built or run.
    pub before: Option<Activity>,
    /// After the last round.
    pub after: Option<Activity>,
    /// The compiler; `None` if the programs were not built here.
    pub rustc: Option<String>,
    /// The programs through which cargo called the compiler, if it was to use any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc_wrapper: Option<String>,
    /// What was compiled for, if cargo was told; else it is the system that cargo runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The release profile that was in force: what it set, by the compiler's names.
    pub profile: Option<String>,
    /// Flags for the compiler beside those of the profile, wherever cargo had them from; paths left out.
    pub rustflags: Option<String>,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Whether anything but results differed from it.
    pub dirty: Option<bool>,
    /// XXH3-128 of `Cargo.lock`.
    pub lockfile_xxh3: Option<String>,
    /// hyperfine's name and version.
    pub hyperfine: String,
    /// What ran the programs of the notebook, if the run has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<Python>,
    /// Another compare ran at some time of this run.
    #[serde(default)]
    pub another_compare: bool,
}

/// What ran the programs of the notebook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Python {
    /// As the programs say, each package that any of them has imported.
    #[serde(flatten)]
    pub interpreter: Interpreter,
    /// XXH3-128 of the file that pins the packages.
    pub requirements_xxh3: String,
}

impl Python {
    /// Version, lock and packages, on one line.
    pub fn line(&self) -> String {
        let Interpreter { version, implementation, gil, packages } = &self.interpreter;
        let lock = if *gil { "with the GIL" } else { "free-threaded" };
        let packages: String = packages.iter().map(|(name, version)| format!(", {name} {version}")).collect();
        format!("{implementation} {version}, {lock}{packages}")
    }
}

/// What else the machine was doing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Average number of runnable threads over the last minute.
    pub load: f32,
    /// Ticks of all processors so far.
    pub ticks: u64,
    /// Those of them that the hypervisor gave to somebody else.
    pub stolen_ticks: u64,
    /// Those in which a processor of this machine did something, for anybody.
    #[serde(default)]
    pub busy_ticks: u64,
    /// Those of them that went to this process and to all that it has started and waited for.
    #[serde(default)]
    pub own_ticks: u64,
}

/// What others did between two looks at the machine, in shares of the time of all its processors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Others {
    /// Other processes of this machine, and its kernel by itself.
    pub busy: f64,
    /// Other machines of the same hypervisor.
    pub stolen: f64,
}

impl Activity {
    /// What others did from then until `now`; `None` where too little time has passed to tell. What this process has
    /// started counts as its own once it has ended, so no child may be running at either look.
    pub fn others_until(&self, now: &Activity) -> Option<Others> {
        /// A tick is a sample: who happens to run then has all of it. Over this many the error is a percent or two.
        const TOO_FEW: u64 = 100;
        let passed = |ticks: fn(&Activity) -> u64| ticks(now).saturating_sub(ticks(self));
        let all = Some(passed(|it| it.ticks)).filter(|all| *all >= TOO_FEW)? as f64;
        let busy = passed(|it| it.busy_ticks).saturating_sub(passed(|it| it.own_ticks));
        Some(Others { busy: busy as f64 / all, stolen: passed(|it| it.stolen_ticks) as f64 / all })
    }
}

impl Others {
    /// Whether figures that were taken meanwhile are doubtful.
    pub fn disturb(&self) -> bool {
        self.busy > HIGH_OTHERS || self.stolen > HIGH_STEAL
    }

    /// In words: who used how much.
    pub fn used(&self) -> String {
        let (busy, stolen) = (self.busy * 100.0, self.stolen * 100.0);
        format!("other programs used {busy:.1} % of the processors, and the hypervisor took {stolen:.1} %")
    }
}

/// A share of others' time that shows in a median. The kernel's own work for a run, such as taking back what a process of
/// 800 MB had, is not billed to any process, and is less than this.
const HIGH_OTHERS: f64 = 0.05;

/// A share of stolen time that shows in a median.
const HIGH_STEAL: f64 = 0.01;

impl Machine {
    /// Share of time stolen by the hypervisor between the two looks.
    pub fn stolen(&self) -> Option<f64> {
        let (before, after) = (self.before?, self.after?);
        let ticks = after.ticks.checked_sub(before.ticks).filter(|ticks| *ticks > 0)?;
        Some(after.stolen_ticks.saturating_sub(before.stolen_ticks) as f64 / ticks as f64)
    }

    /// What about this machine makes its times doubtful.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.governors.iter().any(|governor| governor == "powersave") {
            warnings.push("the frequency governor is `powersave`: times depend on what ran just before".to_owned());
        }
        if self.another_compare {
            warnings.push("another compare ran on this machine: each disturbs the figures of the other".to_owned());
        }
        if self.dirty == Some(true) {
            warnings.push("the tree was changed after the commit: these times are not that commit's".to_owned());
        }
        warnings
    }

    /// Two cores of what, with the system: the line below a headline table.
    pub fn line(&self) -> String {
        let huge_pages = self.huge_pages.as_deref().unwrap_or("n/a");
        format!("{}, {}, huge pages: {huge_pages}", self.short_line(), self.system)
    }

    /// Two cores of what.
    pub fn short_line(&self) -> String {
        let cpu = self.cpu.as_deref().unwrap_or("unknown processor");
        let cpus = match self.cpus_online {
            Some(online) if online != self.cpus_available => format!("{} of {online} CPUs", self.cpus_available),
            _ if self.cpus_available == 1 => "1 CPU".to_owned(),
            _ => format!("{} CPUs", self.cpus_available),
        };
        format!("{cpu}, {cpus}")
    }

    /// The commit as tables show it.
    pub fn commit_line(&self) -> String {
        let commit = self.commit.as_deref().map_or("no commit", |commit| commit.get(..12).unwrap_or(commit));
        if self.dirty == Some(true) { format!("{commit} with changes") } else { commit.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Machine {
        Machine {
            cpu: Some("Example 9000".into()),
            cpus_online: Some(4),
            cpus_available: 4,
            cpu_quota: None,
            governors: vec!["performance".into()],
            huge_pages: Some("madvise".into()),
            memory_bytes: Some(8 << 30),
            system: "Linux 6.1.0 x86_64".into(),
            before: Some(Activity { load: 0.1, ticks: 1000, stolen_ticks: 0, busy_ticks: 500, own_ticks: 400 }),
            after: Some(Activity { load: 2.0, ticks: 2000, stolen_ticks: 5, busy_ticks: 1300, own_ticks: 1180 }),
            rustc: None,
            rustc_wrapper: None,
            target: None,
            profile: None,
            rustflags: None,
            commit: Some("0123456789abcdef".into()),
            dirty: Some(false),
            lockfile_xxh3: None,
            hyperfine: "hyperfine 1.20.0".into(),
            python: None,
            another_compare: false,
        }
    }

    #[test]
    fn a_quiet_machine_is_not_warned_about() {
        assert_eq!(quiet().warnings(), Vec::<String>::new());
        assert_eq!(quiet().line(), "Example 9000, 4 CPUs, Linux 6.1.0 x86_64, huge pages: madvise");
        assert_eq!(quiet().commit_line(), "0123456789ab");
    }

    #[test]
    fn a_laptop_with_changes_is_warned_about() {
        let laptop =
            Machine { governors: vec!["performance".into(), "powersave".into()], dirty: Some(true), ..quiet() };
        let warnings = laptop.warnings().join("\n");
        for word in ["powersave", "changed"] {
            assert!(warnings.contains(word), "{word} is not in: {warnings}");
        }
    }

    #[test]
    fn what_others_did_is_told_from_what_the_run_did() {
        let (before, after) = (quiet().before.unwrap(), quiet().after.unwrap());
        let others = before.others_until(&after).unwrap();
        assert_eq!(others, Others { busy: 0.02, stolen: 0.005 });
        assert!(!others.disturb());
        let neighbour = Activity { busy_ticks: after.busy_ticks + 100, ..after };
        assert!(before.others_until(&neighbour).unwrap().disturb());
        let hypervisor = Activity { stolen_ticks: after.stolen_ticks + 100, ..after };
        assert!(before.others_until(&hypervisor).unwrap().disturb());
        assert_eq!(before.others_until(&Activity { ticks: before.ticks + 9, ..after }), None, "too soon to tell");
    }

    #[test]
    fn a_python_is_told_by_version_lock_and_packages() {
        let packages = [("loky", "3.7.0"), ("numpy", "2.4.6")].map(|(name, version)| (name.into(), version.into()));
        let interpreter = Interpreter {
            version: "3.14.0".into(),
            implementation: "CPython".into(),
            gil: false,
            packages: packages.into(),
        };
        let python = Python { interpreter, requirements_xxh3: "ab".into() };
        assert_eq!(python.line(), "CPython 3.14.0, free-threaded, loky 3.7.0, numpy 2.4.6");
        let machine = Machine { python: Some(python), ..quiet() };
        let json = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
        assert!(!serde_json::to_string(&quiet()).unwrap().contains("python"), "a run without has no word of it");
    }
}
