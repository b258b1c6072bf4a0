//! What the compiler's messages say about a job.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitStatus;

use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{CompilerMessage, PackageId};

use crate::entrants::own::{OwnJob, OwnJobError};

/// What `fanout::job!` makes, and a program names.
const DECLARED: &str = "FanoutJob";

/// What was heard while the programs were built.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// As the compiler shows it, of the job and of other crates.
    pub(super) shown: Vec<String>,
    job_fails: bool,
    several_jobs: bool,
    no_job: bool,
    /// Other crates with errors.
    failing: BTreeSet<String>,
    /// What the compiler shows of the programs' errors, by strategy.
    programs: BTreeMap<String, Vec<String>>,
}

impl Heard {
    /// Takes a message, where `programs` are the packages of the strategies' programs, and the job is in `dir`.
    pub(super) fn hear(&mut self, message: CompilerMessage, programs: &BTreeMap<PackageId, String>, dir: &Path) {
        let CompilerMessage { package_id, target, message: diagnostic, .. } = message;
        let is_error = matches!(diagnostic.level, DiagnosticLevel::Error | DiagnosticLevel::Ice);
        if diagnostic.level == DiagnosticLevel::FailureNote || diagnostic.message.starts_with("aborting due to") {
            return;
        }
        let code = diagnostic.code.as_ref().map(|code| &*code.code);
        let is_of_job = diagnostic.message.contains(DECLARED);
        let rendered = diagnostic.rendered.unwrap_or(diagnostic.message);
        if let Some(strategy) = programs.get(&package_id) {
            if is_error {
                self.no_job |= is_of_job && matches!(code, Some("E0412" | "E0425" | "E0432" | "E0433"));
                self.programs.entry(strategy.clone()).or_default().push(rendered);
            }
            return;
        }
        self.shown.push(rendered);
        if is_error && target.src_path.starts_with(dir) {
            self.job_fails = true;
            self.several_jobs |= is_of_job && code == Some("E0428");
        } else if is_error {
            self.failing.insert(target.name);
        }
    }

    /// What is to be shown of the programs' own errors: those of one, since the others have the same, or none if a line says it.
    pub(super) fn of_programs(&self) -> &[String] {
        match self.programs.values().next() {
            Some(rendered) if !self.no_job => rendered,
            _ => &[],
        }
    }

    /// Why there is no program at all.
    pub(super) fn reason(self, job: &OwnJob, status: ExitStatus) -> OwnJobError {
        let (shown, name, manifest) = (job.shown.clone(), job.name.clone(), job.manifest.clone());
        if self.several_jobs {
            OwnJobError::SeveralJobs { shown }
        } else if self.job_fails {
            OwnJobError::JobDoesNotBuild { shown, name }
        } else if self.no_job {
            OwnJobError::NoJob { shown }
        } else if !self.programs.is_empty() {
            OwnJobError::NotTaken { shown }
        } else if !self.failing.is_empty() {
            OwnJobError::DependencyDoesNotBuild { manifest, name, crates: self.failing.into_iter().collect() }
        } else {
            OwnJobError::Nothing { manifest, status }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// What cargo says when the compiler has an error in the crate at `source`.
    fn error(package: &str, source: &str, code: &str, message: &str) -> CompilerMessage {
        let target = format!(
            r#"{{"kind":["lib"],"crate_types":["lib"],"name":"krate","src_path":"{source}","edition":"2024"}}"#
        );
        let message = format!(
            r#"{{"rendered":"error[{code}]: {message}\n","message":"{message}","code":{{"code":"{code}","explanation":null}},"level":"error","spans":[],"children":[]}}"#
        );
        serde_json::from_str(&format!(r#"{{"package_id":"{package}","target":{target},"message":{message}}}"#)).unwrap()
    }

    fn heard(messages: &[(&str, &str, &str, &str)]) -> (Heard, String) {
        let programs = ["run-a", "run-b"].map(|name| (PackageId { repr: name.to_owned() }, name[4..].to_owned()));
        let programs = BTreeMap::from(programs);
        let told = || {
            let mut heard = Heard::default();
            for (package, source, code, message) in messages {
                heard.hear(error(package, source, code, message), &programs, Path::new("/j"));
            }
            heard
        };
        let job = OwnJob {
            name: "primes".to_owned(),
            lib: "primes".to_owned(),
            dir: PathBuf::from("/j"),
            source: PathBuf::from("/j/src/lib.rs"),
            shown: "j/src/lib.rs".to_owned(),
            manifest: "j/Cargo.toml".to_owned(),
            features: BTreeSet::new(),
            workspace: PathBuf::from("/j"),
            fanout: PathBuf::from("/f"),
        };
        (told(), told().reason(&job, ExitStatus::default()).to_string())
    }

    #[test]
    fn a_job_that_is_not_declared_is_told_by_a_line_alone() {
        let missing = ("run-a", "/t/a/src/main.rs", "E0433", "cannot find `FanoutJob` in `own_job`");
        let (heard, reason) = heard(&[missing]);
        assert!(heard.shown.is_empty() && heard.of_programs().is_empty());
        assert!(reason.starts_with("j/src/lib.rs: no `fanout::job!` at the root"), "{reason}");
    }

    #[test]
    fn two_declarations_are_shown_and_told() {
        let twice = ("primes", "/j/src/lib.rs", "E0428", "the name `FanoutJob` is defined multiple times");
        let (heard, reason) = heard(&[twice]);
        assert_eq!(heard.shown, ["error[E0428]: the name `FanoutJob` is defined multiple times\n"]);
        assert_eq!(reason, "j/src/lib.rs: more than one `fanout::job!`; a library declares one job");
    }

    #[test]
    fn errors_of_the_job_and_of_what_it_needs_are_told_apart() {
        let needed = ("serde", "/r/serde/src/lib.rs", "E0308", "mismatched types");
        let (_, reason) = heard(&[needed]);
        assert_eq!(reason, "j/Cargo.toml: `primes` cannot be built, since `krate` does not build: see above");
        let own = ("primes", "/j/src/lib.rs", "E0308", "mismatched types");
        assert_eq!(heard(&[needed, own]).1, "j/src/lib.rs: `primes` does not build: see above");
    }

    #[test]
    fn what_all_programs_have_against_a_job_is_shown_once() {
        let refused = |package| (package, "/t/src/main.rs", "E0277", "`P` cannot be shared");
        let (heard, reason) = heard(&[refused("run-a"), refused("run-b")]);
        assert_eq!(heard.of_programs(), ["error[E0277]: `P` cannot be shared\n"]);
        assert_eq!(reason, "j/src/lib.rs: no strategy takes the job: see above");
    }
}
