//! The flags that every contender gets.

use harness::{JobOptions, rng_name, skew_name};
use serde::{Deserialize, Serialize};
use workloads::Rng;

/// The job to be timed. Workloads, skews and generators are plain names here: the harness knows which there are, so a new
/// one needs no change in this crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What one key is.
    pub workload: String,
    /// How many independent keys.
    pub keys: u64,
    /// Values per key on average; for `wait`, microseconds.
    pub count: u64,
    /// How the total is shared among the keys.
    pub skew: String,
    /// The random generator.
    pub rng: String,
    /// The seed of the keys and their values.
    pub seed: u64,
    /// How many keys at a time a contender may work on.
    pub workers: usize,
    /// Values that a key of `wait` computes per key on average, before it sleeps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values: u64,
    /// Bytes that a key of `wait` gives.
    #[serde(default = "eight", skip_serializing_if = "is_eight")]
    pub output_bytes: u64,
    /// Whether a busy program has one of the CPUs meanwhile. No flag of a contender.
    #[serde(default, skip_serializing_if = "is_false")]
    pub neighbour: bool,
    /// What a job of the reader's is made from. It has its name as its workload; skew and generator are empty, count and seed 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

/// What a job of the reader's is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// As they stand after `--`.
    pub arguments: Vec<String>,
}

/// What the job of a program is called that was built around one, whatever the job's name.
const JOB: &str = "job";

/// What a key of `wait` gives by default: its index.
pub const INDEX_BYTES: u64 = 8;

fn is_zero(values: &u64) -> bool {
    *values == 0
}

fn eight() -> u64 {
    INDEX_BYTES
}

fn is_eight(bytes: &u64) -> bool {
    *bytes == INDEX_BYTES
}

fn is_false(is: &bool) -> bool {
    !is
}

impl Job {
    /// What the flags ask for, with nothing left open.
    ///
    /// # Errors
    ///
    /// Which flag is out of range, in one line; also if the outputs are more than the memory there is, which every
    /// strategy would say of itself, but only once it is built.
    pub fn asked_for(options: &JobOptions) -> Result<Job, String> {
        let job = options.job()?;
        let parameters = job.parameters();
        if parameters.keys == 0 {
            return Err("--keys 0: there is nothing to time; expected a whole number from 1".to_owned());
        }
        options.fits()?;
        Ok(Job {
            workload: options.workload().to_owned(),
            keys: parameters.keys as u64,
            count: parameters.count,
            skew: skew_name(parameters.skew).to_owned(),
            rng: rng_name(parameters.rng).to_owned(),
            seed: parameters.seed,
            workers: options.workers()?.get(),
            values: options.values(),
            output_bytes: options.bytes_per_key(),
            neighbour: false,
            own: None,
        })
    }

    /// A job of the reader's.
    pub fn own(name: &str, keys: u64, workers: usize, arguments: &[String]) -> Job {
        Job {
            workload: name.to_owned(),
            keys,
            count: 0,
            skew: String::new(),
            rng: String::new(),
            seed: 0,
            workers,
            values: 0,
            output_bytes: INDEX_BYTES,
            neighbour: false,
            own: Some(Own { arguments: arguments.to_vec() }),
        }
    }

    /// Every flag, spelled out, so that no contender's default and no environment variable decides anything. Those that only
    /// some programs know are there if they say something.
    pub fn flags(&self) -> Vec<String> {
        if let Some(own) = &self.own {
            let arguments = own.arguments.iter().map(|argument| format!("--argument={argument}"));
            let workers = self.workers.to_string();
            return ["--workload", JOB, "--workers", &workers]
                .map(str::to_owned)
                .into_iter()
                .chain(arguments)
                .collect();
        }
        let own = [("--values", self.values, 0), ("--output-bytes", self.output_bytes, INDEX_BYTES)];
        let own = own.into_iter().filter(|(_, value, default)| value != default);
        let own = own.map(|(flag, value, _)| (flag, value.to_string()));
        [
            ("--workload", self.workload.clone()),
            ("--keys", self.keys.to_string()),
            ("--count", self.count.to_string()),
            ("--skew", self.skew.clone()),
            ("--rng", self.rng.clone()),
            ("--seed", self.seed.to_string()),
            ("--workers", self.workers.to_string()),
        ]
        .into_iter()
        .chain(own)
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }

    /// The same for a workload that neither computes before it sleeps nor has outputs of any size.
    pub fn without_values(self) -> Job {
        Job { values: 0, output_bytes: INDEX_BYTES, ..self }
    }

    /// The job that shows how many keys a contender keeps in flight: keys that only sleep, so that the run time says how
    /// many slept at once whatever the number of cores.
    ///
    /// 100 keys, so that a strategy with a thread per key can show all of them. 20 ms each: long beside the 6 ms in which
    /// 100 threads start, and `sequential`, the slowest, still needs only 2 s.
    pub fn blocking(&self) -> Job {
        let [workload, skew] = ["wait", "uniform"].map(str::to_owned);
        let rng = if self.own.is_some() { rng_name(Rng::default()).to_owned() } else { self.rng.clone() };
        let job = Job { workload, keys: 100, count: 20_000, skew, rng, ..self.clone() };
        Job { values: 0, output_bytes: INDEX_BYTES, own: None, ..job }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        job: JobOptions,
    }

    #[test]
    fn what_the_flags_ask_for_is_the_job() {
        let asked = |flags: &str| {
            let flags = Flags::try_parse_from(std::iter::once("flags").chain(flags.split_whitespace())).unwrap();
            Job::asked_for(&flags.job)
        };
        let flags = "--workload wait --keys 10 --count 7 --skew zipf --rng mt19937 --seed 3 --workers 2";
        let job = asked(flags).unwrap();
        assert_eq!((job.values, job.output_bytes), (0, 8));
        for flags in [flags.to_owned(), format!("{flags} --values 70 --output-bytes 800")] {
            assert_eq!(asked(&flags).unwrap().flags().join(" "), flags);
        }
        assert_eq!(asked("--workload sum --values 5").unwrap_err(), "--values needs --workload wait");
    }

    #[test]
    fn every_flag_is_spelled_out() {
        let job = Job {
            workload: "fill".into(),
            keys: 100,
            count: 1_000_000,
            skew: "uniform".into(),
            rng: "xoshiro".into(),
            seed: 42,
            workers: 2,
            values: 0,
            output_bytes: 8,
            neighbour: false,
            own: None,
        };
        assert_eq!(
            job.flags().join(" "),
            "--workload fill --keys 100 --count 1000000 --skew uniform --rng xoshiro --seed 42 --workers 2"
        );
        assert_eq!(
            job.blocking().flags().join(" "),
            "--workload wait --keys 100 --count 20000 --skew uniform --rng xoshiro --seed 42 --workers 2"
        );
        let both = Job { workload: "wait".into(), values: 70, output_bytes: 800, ..job };
        assert!(both.flags().join(" ").ends_with("--workers 2 --values 70 --output-bytes 800"));
    }
}
