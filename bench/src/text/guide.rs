//! Which strategy to pick: each line with the figure that says so, and the picture that shows it.
//!
//! What a line claims is held against the figures of the run that it is made from. A line that they contradict is not to be
//! shown; `tests/tidy.rs` holds the newest run to all of them.

use crate::numbers::standings::{Standing, Standings};
use crate::numbers::views::blocking::Blocking;
use crate::numbers::views::grain::{At, Bound, Grain, Line, Row};
use crate::numbers::views::makespan::Makespan;
use crate::run::full::Full;
use crate::text::table::{Align, markdown};
use crate::text::{made_by, number};

/// What is so in the reader's case, what to pick then, and what the figures must say for that.
struct Advice {
    case: &'static str,
    picks: &'static [&'static str],
    because: &'static str,
    figures: fn(&Figures) -> Option<Says>,
}

/// What the figures say.
struct Says {
    text: String,
    /// The picture, as a path below the run's folder.
    picture: String,
    /// Whether that is what the line claims.
    holds: bool,
}

/// All that the lines look at.
struct Figures {
    standings: Standings,
    grain: Grain,
    skew: Makespan,
    blocking: Blocking,
}

/// A strategy may take this many times as long as the fastest, and nothing but its other properties need be looked at: less than
/// what a busy machine makes of one and the same program.
const ALIKE: f64 = 1.15;

/// Seconds.
const SOME_MICROSECONDS: f64 = 7e-6;

const LINES: [Advice; 17] = [
    Advice {
        case: "nothing below fits your case",
        picks: &["rayon-iter"],
        because: "one line, balances, a pool that stays warm",
        figures: |figures| figures.is_among_the_fastest("rayon-iter"),
    },
    Advice {
        case: "you want no dependency",
        picks: &["std-counter"],
        because: "scoped threads and one atomic",
        figures: |figures| figures.is_among_the_fastest("std-counter"),
    },
    Advice {
        case: "you have very many keys of some microseconds",
        picks: &["std-counter", "rayon-iter"],
        because: "a key costs them next to nothing",
        figures: |figures| {
            let [counter, rayon, pool] =
                ["std-counter", "rayon-iter", "process-pool"].map(|name| figures.efficiency(name, SOME_MICROSECONDS));
            let ((grain, counter), (_, rayon), (_, pool)) = (counter?, rayon?, pool?);
            let text = format!(
                "with keys of {}, the CPUs spend {:.0} % and {:.0} % of their time on them; with process-pool {:.0} %",
                number::short_time(grain),
                100.0 * counter,
                100.0 * rayon,
                100.0 * pool
            );
            Some(figures.grain(text, counter.min(rayon) > 0.8 && pool < 0.5))
        },
    },
    Advice {
        case: "keys take less than a microsecond",
        picks: &["paralight-iter"],
        because: "no queue: each thread owns a range of keys",
        figures: |figures| figures.costs_less_per_key("paralight-iter", "rayon-iter"),
    },
    Advice {
        case: "keys are equal, and threads are to share nothing",
        picks: &["std-chunks"],
        because: "each thread has its slice of the keys; the slowest one sets the time",
        figures: |figures| {
            let of = |name, skew| figures.makespan(name, skew);
            let (chunks, counter) = (of("std-chunks", "uniform")?, of("std-counter", "uniform")?);
            let (unequal, balanced) = (of("std-chunks", "zipf")?, of("std-counter", "zipf")?);
            let text = format!(
                "with equal keys {} the time of std-counter, with keys by Zipf's law {}",
                number::factor(chunks / counter),
                number::factor(unequal / balanced)
            );
            let holds = chunks / counter <= ALIKE && unequal > balanced;
            Some(Says { text, picture: "skew/skew-zipf.svg".to_owned(), holds })
        },
    },
    Advice {
        case: "keys are unequal",
        picks: &["std-counter", "rayon-iter"],
        because: "a free worker takes the next key; begin the long ones first",
        figures: |figures| {
            let of = |name| figures.makespan(name, "zipf");
            let (counter, rayon, chunks) = (of("std-counter")?, of("rayon-iter")?, of("std-chunks")?);
            let text = format!(
                "when key sizes follow Zipf's law: {} and {} the lower bound, std-chunks {}",
                number::factor(counter),
                number::factor(rayon),
                number::factor(chunks)
            );
            let holds = counter.max(rayon) < chunks;
            Some(Says { text, picture: "skew/skew-zipf.svg".to_owned(), holds })
        },
    },
    Advice {
        case: "a few keys hold most of the work, and a key can be cut",
        picks: &["rayon-nested"],
        because: "threads share what is left of a slow key",
        figures: |figures| {
            let of = |name| figures.makespan(name, "one-huge-last");
            let (nested, rayon) = (of("rayon-nested")?, of("rayon-iter")?);
            let text = format!(
                "when the last key holds half of the work: {} the lower bound, rayon-iter {}",
                number::factor(nested),
                number::factor(rayon)
            );
            Some(Says { text, picture: "skew/skew-one-huge-last.svg".to_owned(), holds: nested < 0.9 * rayon })
        },
    },
    Advice {
        case: "keys wait, for a disk or a server, rather than compute",
        picks: &["std-counter", "rayon-iter"],
        because: "with several times more `--workers` than cores, others compute while one waits",
        figures: |figures| {
            let most = *figures.blocking.workers.last()?;
            let few = figures.asleep("std-counter", figures.blocking.cpus as usize)?;
            let (counter, rayon) = (figures.asleep("std-counter", most)?, figures.asleep("rayon-iter", most)?);
            let text = format!(
                "with {:.0} % of each key spent waiting: {} and {} as fast as one thread, with {most} workers; with {} {}",
                100.0 * figures.blocking.shares.last()?,
                number::factor(counter),
                number::factor(rayon),
                figures.blocking.cpus,
                number::factor(few)
            );
            Some(Says { text, picture: format!("blocking/blocking-{most}.svg"), holds: counter.min(rayon) > 1.5 * few })
        },
    },
    Advice {
        case: "keys wait, and you do not want to choose a number of workers",
        picks: &["spawn-per-key"],
        because: "a thread for each key, for up to some thousands of keys",
        figures: |figures| {
            let cpus = figures.blocking.cpus;
            let (spawn, counter) =
                (figures.asleep("spawn-per-key", cpus as usize)?, figures.asleep("std-counter", cpus as usize)?);
            let text = format!(
                "with {:.0} % of each key spent waiting: {} as fast as one thread; std-counter with {cpus} workers {}",
                100.0 * figures.blocking.shares.last()?,
                number::factor(spawn),
                number::factor(counter)
            );
            Some(Says { text, picture: format!("blocking/blocking-{cpus}.svg"), holds: spawn > 1.5 * counter })
        },
    },
    Advice {
        case: "a key may crash or hang, and the others must come back",
        picks: &["process-pool"],
        because: "a key whose process dies is tried once more; one that hangs needs a deadline",
        figures: |figures| {
            let survives = |name| Some(figures.row(name)?.survival?.abort);
            let (pool, cost) = (figures.cost("process-pool")?, figures.ratio("process-pool", "rayon-iter")?);
            let text = format!(
                "when a key aborts, the others come back; with rayon-iter all are lost. A key costs {}, and the job takes {} as long \
                 as with rayon-iter",
                number::short_time(pool),
                number::factor(cost)
            );
            let holds = survives("process-pool")? && !survives("rayon-iter")?;
            Some(Says { text, picture: "README.md#what-each-row-used".to_owned(), holds })
        },
    },
    Advice {
        case: "each key needs a fresh process: it leaks, or changes global state",
        picks: &["process-per-key"],
        because: "nothing is left of the key before",
        figures: |figures| {
            let (each, pool) = (figures.cost("process-per-key")?, figures.cost("process-pool")?);
            let text =
                format!("a key costs {}, in process-pool {}", number::short_time(each), number::short_time(pool));
            let survives = figures.row("process-per-key")?.survival?.abort;
            Some(figures.grain(text, survives))
        },
    },
    Advice {
        case: "the program is async already",
        picks: &["tokio-rayon"],
        because: "Rayon's pool computes, the runtime's threads stay free",
        figures: |figures| figures.is_among_the_fastest("tokio-rayon"),
    },
    Advice {
        case: "the program is async, and computes only now and then",
        picks: &["tokio-blocking", "smol-executor"],
        because: "no other crate than the runtime",
        figures: |figures| {
            let (blocking, smol) =
                (figures.is_among_the_fastest("tokio-blocking")?, figures.is_among_the_fastest("smol-executor")?);
            Some(Says { holds: blocking.holds && smol.holds, ..blocking })
        },
    },
    Advice {
        case: "keys arrive in a queue anyway",
        picks: &["crossbeam-scoped"],
        because: "threads borrow the job and empty the queue",
        figures: |figures| figures.is_among_the_fastest("crossbeam-scoped"),
    },
    Advice {
        case: "work comes from many places, over the program's whole life",
        picks: &["channel-workers"],
        because: "threads that stay, fed by a bounded channel",
        figures: |figures| figures.is_among_the_fastest("channel-workers"),
    },
    Advice {
        case: "you want keys begun in order, or to tune what a thread takes at once",
        picks: &["orx-iter"],
        because: "an iterator over one shared counter",
        figures: |figures| figures.is_among_the_fastest("orx-iter"),
    },
    Advice {
        case: "there is one core, or nothing to gain",
        picks: &["sequential"],
        because: "the plain loop",
        figures: |figures| {
            // Where one is faster at the finest grain of all, nobody knows from where on; whole processes then tell.
            let least = |line: fn(&Row) -> &Line| {
                let is_open = figures.grain.rows.iter().any(|row| matches!(line(row).beats, Bound::Below(_)));
                let beats = figures.grain.rows.iter().filter_map(|row| at(line(row).beats));
                beats.reduce(f64::min).filter(|_| !is_open)
            };
            let (least, whole) = match least(|row| &row.warm) {
                Some(least) => (least, ""),
                None => (least(|row| &row.cold)?, ", process and all"),
            };
            let text = format!(
                "no strategy is clearly faster where a key takes less than {}{whole}",
                number::short_time(least)
            );
            Some(figures.grain(text, true))
        },
    },
];

/// The picture of the job itself.
const HEADLINE: &str = "headline.svg";

/// The picture of the grain.
const GRAIN: &str = "grain/grain-warm.svg";

/// The table, and what made it. `up` leads from the document to the root, `run` from there to the run's folder.
pub fn table(full: &Full, up: &str, run: &str) -> String {
    let columns = [("if", Align::Left), ("pick", Align::Left), ("because", Align::Left), ("measured", Align::Left)];
    let figures = Figures::of(full);
    let rows = LINES.iter().filter_map(|line| {
        let Says { text, picture, .. } = figures.as_ref().and_then(line.figures).filter(|says| says.holds)?;
        let picks: Vec<String> = line.picks.iter().map(|pick| format!("[{pick}]({up}impls/{pick})")).collect();
        let measured = format!("[{text}]({up}{run}/{picture})");
        Some(vec![line.case.to_owned(), picks.join(" or "), line.because.to_owned(), measured])
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return "The run has no sweeps, and so nothing to pick by.\n".to_owned();
    }
    format!("{}\n{}\n", markdown(&columns, &rows), made_by(&full.run))
}

/// The cases whose lines the figures of this run contradict, or say nothing of.
pub fn contradicted(full: &Full) -> Vec<String> {
    let figures = Figures::of(full);
    let claim = |line: &Advice| match figures.as_ref().and_then(line.figures) {
        Some(Says { holds: true, .. }) => None,
        Some(Says { text, .. }) => Some(format!("{}: {}", line.case, text)),
        None => Some(format!("{}: not measured", line.case)),
    };
    LINES.iter().filter_map(claim).collect()
}

impl Figures {
    fn of(full: &Full) -> Option<Figures> {
        Some(Figures {
            standings: Standings::of(&full.run),
            grain: Grain::of(full.sweep("grain")?),
            skew: Makespan::of(full.sweep("skew")?),
            blocking: Blocking::of(full.sweep("blocking")?),
        })
    }

    fn row(&self, name: &str) -> Option<&Standing> {
        self.standings.rows.iter().find(|row| row.name == name && row.is_among_strategies)
    }

    /// The cold time of a strategy over that of another.
    fn ratio(&self, name: &str, to: &str) -> Option<f64> {
        Some(self.row(name)?.cold.shown() / self.row(to)?.cold.shown())
    }

    fn is_among_the_fastest(&self, name: &str) -> Option<Says> {
        let fastest = self.standings.rows.iter().find(|row| row.is_among_strategies)?;
        let own = self.row(name)?;
        let than_it = if own.rank == Some(1) {
            "none is clearly faster".to_owned()
        } else {
            format!("the fastest strategy is {} as fast", number::factor(fastest.speed_up?.value))
        };
        let text = format!("{} as fast as sequential; {than_it}", number::factor(own.speed_up?.value));
        // A wide interval does not contradict it.
        let holds = own.rank == Some(1) || self.ratio(name, &fastest.name)? <= ALIKE;
        Some(Says { text, picture: HEADLINE.to_owned(), holds })
    }

    /// What a key costs a worker besides its work.
    fn cost(&self, name: &str) -> Option<f64> {
        Some(self.grain.rows.iter().find(|row| row.name == name)?.overhead?.value)
    }

    fn costs_less_per_key(&self, name: &str, than: &str) -> Option<Says> {
        let overhead = |name: &str| self.grain.rows.iter().find(|row| row.name == name)?.overhead;
        // Each is at the finest grain of its row.
        let (own, other) = Some((overhead(name)?, overhead(than)?)).filter(|(own, other)| own.at == other.at)?;
        let (own, other) = (own.value, other.value);
        let text = format!("a key costs {}, in {than} {}", number::short_time(own), number::short_time(other));
        Some(self.grain(text, own < 0.9 * other))
    }

    /// The measured grain that is nearest to `grain`, and how much of the ideal throughput a warm batch has there. A row that was
    /// not timed at so fine a grain has what it had at its finest.
    fn efficiency(&self, name: &str, grain: f64) -> Option<(f64, f64)> {
        let points = &self.grain.rows.iter().find(|row| row.name == name)?.warm.points;
        let distance = |at: &At| (at.grain / grain).ln().abs();
        let nearest = points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        Some((nearest.grain, nearest.efficiency.value))
    }

    fn makespan(&self, name: &str, skew: &str) -> Option<f64> {
        let job = self.skew.jobs.iter().position(|job| job.skew == skew)?;
        Some(self.skew.rows.iter().find(|row| row.name == name)?.factors.get(job)?.as_ref()?.value)
    }

    /// How many times faster than one thread where a key sleeps most, with so many workers.
    fn asleep(&self, name: &str, workers: usize) -> Option<f64> {
        let workers = self.blocking.workers.iter().position(|it| *it == workers)?;
        let row = self.blocking.rows.iter().find(|row| row.name == name)?;
        Some(row.shares.last()?.speed_ups.get(workers)?.as_ref()?.value)
    }

    fn grain(&self, text: String, holds: bool) -> Says {
        Says { text, picture: GRAIN.to_owned(), holds }
    }
}

fn at(bound: Bound) -> Option<f64> {
    match bound {
        Bound::At { grain, .. } | Bound::Below(grain) => Some(grain),
        Bound::Above(_) | Bound::Unknown => None,
    }
}
