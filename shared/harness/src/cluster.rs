//! The flags of strategies whose keys can run on other hosts.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::{ArgAction, Args};
use fanout::TOKEN_VARIABLE;
use kernel::{Cluster, Context, Strategy};

use crate::cli::{Options, Usage};
use crate::run::complain;

/// The names of these flags, for programs that cannot use them.
pub(crate) const FLAGS: [&str; 5] = ["cluster", "token_file", "ca_file", "agent", "stay"];

/// Where keys run.
#[derive(Debug, Args)]
pub(crate) struct ClusterOptions {
    /// The broker of a cluster that is there, or several of one cluster: nats://HOST:PORT or tls://HOST:PORT [default:
    /// $FANOUT_CLUSTER, or a cluster of this machine alone]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    cluster: Vec<String>,

    /// A file with the broker's token [default: $FANOUT_TOKEN_FILE, or the token itself is $FANOUT_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// A file with the CA that has signed the broker's certificate, if it is one's own [default: $FANOUT_CA_FILE]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Run no job, but keys of a caller that runs one on this cluster; --workers is how many at once
    #[arg(long, action = ArgAction::SetTrue)]
    agent: bool,

    /// With --agent: serve caller after caller, not the first alone
    #[arg(long, action = ArgAction::SetTrue, requires = "agent")]
    stay: bool,
}

impl ClusterOptions {
    /// Refuses them where keys run on this host alone.
    pub(crate) fn check(&self, can: bool) -> Result<(), Usage> {
        let given = [
            ("cluster", !self.cluster.is_empty()),
            ("token-file", self.token_file.is_some()),
            ("ca-file", self.ca_file.is_some()),
            ("agent", self.agent),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) if !can => Err(Usage::wrong(&format!(
                "--{flag}: this strategy runs keys on this host alone. Pick one that runs them on a cluster"
            ))),
            _ => Ok(()),
        }
    }

    /// The cluster that is asked for, if one is.
    pub(crate) fn cluster(&self, wanted: Option<NonZeroUsize>) -> Result<Option<Cluster>, Usage> {
        let brokers = match self.cluster.as_slice() {
            [] => variable("FANOUT_CLUSTER")?.map(|urls| urls.split(',').map(str::to_owned).collect()),
            given => Some(given.to_vec()),
        };
        let brokers = brokers.into_iter().flatten().map(|url: String| url.trim().to_owned());
        let brokers: Vec<String> = brokers.filter(|url| !url.is_empty()).collect();
        if brokers.is_empty() {
            return match self.agent {
                true => Err(Usage::wrong("--agent needs --cluster URL, or FANOUT_CLUSTER: where its callers are")),
                false => Ok(None),
            };
        }
        let file = |given: &Option<PathBuf>, name| match given {
            Some(path) => Ok(Some(path.clone())),
            None => variable(name).map(|path| path.map(PathBuf::from)),
        };
        let token = match file(&self.token_file, "FANOUT_TOKEN_FILE")? {
            Some(path) => match in_file(&path, "the token")?.trim() {
                "" => return Err(Usage::wrong(&format!("there is no token in {}: it is empty", path.display()))),
                token => token.to_owned(),
            },
            None => variable(TOKEN_VARIABLE)?.unwrap_or_default(),
        };
        let token = token.trim().to_owned();
        if token.is_empty() {
            return Err(Usage::wrong(&format!(
                "--cluster needs the token of its broker: --token-file FILE, FANOUT_TOKEN_FILE or {TOKEN_VARIABLE}"
            )));
        }
        let ca = file(&self.ca_file, "FANOUT_CA_FILE")?;
        if let Some(path) = &ca {
            in_file(path, "the CA")?;
        }
        Ok(Some(Cluster { brokers, token, ca, wanted }))
    }
}

/// A variable of the environment; an empty one is none.
fn variable(name: &str) -> Result<Option<String>, Usage> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Usage::wrong(&format!("the environment variable {name} is no text in UTF-8")))
        }
    }
}

fn in_file(path: &Path, what: &str) -> Result<String, Usage> {
    fs::read_to_string(path)
        .map_err(|error| Usage::wrong(&format!("{what} cannot be read from {}: {error}", path.display())))
}

impl Options {
    /// What the strategy is told when it starts.
    pub(crate) fn context<S: Strategy>(&self, workers: NonZeroUsize) -> Result<Context, Usage> {
        let context = Context::new(workers).with_deadline(self.deadline);
        if !S::CLUSTER {
            return Ok(context);
        }
        Ok(context.with_cluster(self.cluster.cluster(self.job.wanted()?)?, tell))
    }

    /// Serves callers on a cluster, if that is what is asked for.
    pub(crate) fn agent<S: Strategy>(&self, name: &str) -> Option<Result<ExitCode, Usage>> {
        self.cluster.agent.then(|| {
            let workers = self.job.workers_for(usize::MAX).map_err(|message| Usage::wrong(&message))?;
            let context = self.context::<S>(workers)?;
            Ok(match S::agent(&context, self.cluster.stay) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    complain(name, format_args!("{error}"));
                    ExitCode::FAILURE
                }
            })
        })
    }
}

/// A line about hosts.
fn tell(line: &str) {
    let name = env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    complain(&name, format_args!("{line}"));
}
