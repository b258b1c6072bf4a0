//! Which strategy to pick: each line with the figure that says so, and the picture that shows it.
//!
//! What a line claims is held against the figures of the run that it is made from. A line that they contradict is not to be
//! shown; `tests/tidy.rs` holds the newest run to all of them.

use crate::numbers::standings::{Standing, Standings};
use crate::numbers::stats::Ratio;
use crate::numbers::views::blocking::Blocking;
use crate::numbers::views::grain::{Bound, Grain};
use crate::numbers::views::interference::Interference;
use crate::numbers::views::makespan::Makespan;
use crate::run::full::Full;
use crate::text::table::{Align, markdown};
use crate::text::{made_by, number};

/// What is so in the reader's case, what to pick then, and what the figures must say for that.
struct Line {
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
    interference: Interference,
}

/// A strategy may take this many times as long as the fastest, and nothing but its other properties need be looked at: less than
/// what a busy machine makes of one and the same program.
const ALIKE: f64 = 1.1;

const LINES: [Line; 16] = [
    Line {
        case: "you have no reason not to",
        picks: &["rayon-iter"],
        because: "one line, balances, a pool that stays warm",
        figures: |figures| figures.is_among_the_fastest("rayon-iter"),
    },
    Line {
        case: "you want no dependency",
        picks: &["std-counter"],
        because: "scoped threads and one atomic",
        figures: |figures| figures.is_among_the_fastest("std-counter"),
    },
    Line {
        case: "you have very many keys of some microseconds",
        picks: &["std-counter", "rayon-iter"],
        because: "a key costs them next to nothing",
        figures: |figures| {
            let [counter, rayon] = [figures.half("std-counter")?, figures.half("rayon-iter")?];
            let pool = figures.half("process-pool")?;
            let text = format!(
                "half of the ideal is left at {} and {}; process-pool needs {}",
                number::short_time(counter),
                number::short_time(rayon),
                number::short_time(pool)
            );
            Some(figures.grain(text, counter.max(rayon) < 2e-6 && pool > 5.0 * counter.max(rayon)))
        },
    },
    Line {
        case: "they are shorter still",
        picks: &["paralight-iter"],
        because: "no queue: a thread's keys are two numbers",
        figures: |figures| figures.costs_less_per_key("paralight-iter", "rayon-iter"),
    },
    Line {
        case: "keys are all alike and the machine is yours",
        picks: &["std-chunks"],
        because: "nothing is shared, but nothing is balanced either",
        figures: |figures| {
            let (chunks, counter) = (figures.slowed("std-chunks")?, figures.slowed("std-counter")?);
            let text = format!(
                "with a busy program on one CPU it takes {} as long, std-counter {}",
                number::factor(chunks.value),
                number::factor(counter.value)
            );
            Some(figures.interference(text, chunks.value > counter.value))
        },
    },
    Line {
        case: "keys are unequal, or other programs want the CPUs too",
        picks: &["std-counter", "rayon-iter"],
        because: "a free worker takes the next key; begin the long ones first",
        figures: |figures| {
            let of = |name| figures.makespan(name, "zipf");
            let (counter, rayon, chunks) = (of("std-counter")?, of("rayon-iter")?, of("std-chunks")?);
            let text = format!(
                "by Zipf's law they take {} and {} the least possible, std-chunks {}",
                number::factor(counter),
                number::factor(rayon),
                number::factor(chunks)
            );
            let holds = counter.max(rayon) < chunks;
            Some(Says { text, picture: "skew/skew-zipf.svg".to_owned(), holds })
        },
    },
    Line {
        case: "a few keys hold most of the work, and a key can be cut",
        picks: &["rayon-nested"],
        because: "threads share what is left of a slow key",
        figures: |figures| {
            let of = |name| figures.makespan(name, "one-huge-last");
            let (nested, rayon) = (of("rayon-nested")?, of("rayon-iter")?);
            let text = format!(
                "a last key with half of the work: {} the least that whole keys allow, rayon-iter {}",
                number::factor(nested),
                number::factor(rayon)
            );
            Some(Says { text, picture: "skew/skew-one-huge-last.svg".to_owned(), holds: nested < 0.9 * rayon })
        },
    },
    Line {
        case: "keys wait, for a disk or a server, rather than compute",
        picks: &["spawn-per-key"],
        because: "more threads than cores is then right",
        figures: |figures| {
            let (spawn, counter) = (figures.asleep("spawn-per-key")?, figures.asleep("std-counter")?);
            let text = format!(
                "with {:.0} % of a key asleep {} as fast as one thread, std-counter with a worker on each CPU {}",
                100.0 * figures.blocking.shares.last()?,
                number::factor(spawn),
                number::factor(counter)
            );
            let picture = format!("blocking/blocking-{}.svg", figures.blocking.cpus);
            Some(Says { text, picture, holds: spawn > 1.5 * counter })
        },
    },
    Line {
        case: "a key may crash, leak or hang, and the others must not suffer",
        picks: &["process-pool"],
        because: "a death costs one key one retry; a deadline can be kept",
        figures: |figures| {
            let survives = |name| Some(figures.row(name)?.survival?.abort);
            let (pool, cost) = (figures.cost("process-pool")?, figures.ratio("process-pool", "rayon-iter")?);
            let text = format!(
                "a key costs {}, and its bytes are moved: {} the time of rayon-iter",
                number::short_time(pool),
                number::factor(cost)
            );
            let holds = survives("process-pool")? && !survives("rayon-iter")?;
            Some(Says { text, picture: HEADLINE.to_owned(), holds })
        },
    },
    Line {
        case: "each key must find a clean process",
        picks: &["process-per-key"],
        because: "nothing is left of the key before",
        figures: |figures| {
            let (each, pool) = (figures.cost("process-per-key")?, figures.cost("process-pool")?);
            let text =
                format!("a key costs {}, in process-pool {}", number::short_time(each), number::short_time(pool));
            Some(figures.grain(text, each > pool))
        },
    },
    Line {
        case: "the program is async already",
        picks: &["tokio-rayon"],
        because: "Rayon's pool computes, the runtime's threads stay free",
        figures: |figures| figures.is_among_the_fastest("tokio-rayon"),
    },
    Line {
        case: "it is, and computes only now and then",
        picks: &["tokio-blocking", "smol-executor"],
        because: "no other crate than the runtime",
        figures: |figures| {
            let (blocking, rayon) = (figures.cost("tokio-blocking")?, figures.cost("tokio-rayon")?);
            let text = format!(
                "a key costs tokio-blocking {}, tokio-rayon {}",
                number::short_time(blocking),
                number::short_time(rayon)
            );
            Some(figures.grain(text, blocking > rayon))
        },
    },
    Line {
        case: "keys arrive in a queue anyway",
        picks: &["crossbeam-scoped"],
        because: "threads borrow the job and empty the queue",
        figures: |figures| figures.is_among_the_fastest("crossbeam-scoped"),
    },
    Line {
        case: "work comes from many places, over the program's whole life",
        picks: &["channel-workers"],
        because: "threads that stay, fed by a channel that pushes back",
        figures: |figures| figures.is_among_the_fastest("channel-workers"),
    },
    Line {
        case: "you want keys begun in order, or to tune what a thread takes at once",
        picks: &["orx-iter"],
        because: "an iterator over one shared counter",
        figures: |figures| figures.is_among_the_fastest("orx-iter"),
    },
    Line {
        case: "there is one core, or nothing to gain",
        picks: &["sequential"],
        because: "the plain loop",
        figures: |figures| {
            let beats = figures.grain.rows.iter().filter_map(|row| at(row.warm.beats));
            let least = beats.reduce(f64::min)?;
            let text = format!("no strategy is faster where a key takes less than {}", number::short_time(least));
            Some(figures.grain(text, least > 0.0))
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
    let claim = |line: &Line| match figures.as_ref().and_then(line.figures) {
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
            interference: Interference::of(full.sweep("interference")?),
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
        let own = self.row(name)?.speed_up?.value;
        let text = match fastest.name == name {
            true => format!("{} sequential, the fastest of all", number::factor(own)),
            false => format!(
                "{} sequential; the fastest has {}",
                number::factor(own),
                number::factor(fastest.speed_up?.value)
            ),
        };
        Some(Says { text, picture: HEADLINE.to_owned(), holds: self.ratio(name, &fastest.name)? <= ALIKE })
    }

    /// What a key costs a worker besides its work.
    fn cost(&self, name: &str) -> Option<f64> {
        Some(self.grain.rows.iter().find(|row| row.name == name)?.overhead?.value)
    }

    fn costs_less_per_key(&self, name: &str, than: &str) -> Option<Says> {
        let (own, other) = (self.cost(name)?, self.cost(than)?);
        let text = format!("a key costs {}, in {than} {}", number::short_time(own), number::short_time(other));
        Some(self.grain(text, own < other))
    }

    /// METG(50 %), or the finest grain that was measured if it is below.
    fn half(&self, name: &str) -> Option<f64> {
        at(self.grain.rows.iter().find(|row| row.name == name)?.warm.half)
    }

    fn slowed(&self, name: &str) -> Option<Ratio> {
        self.interference.rows.iter().find(|row| row.name == name)?.warm
    }

    fn makespan(&self, name: &str, skew: &str) -> Option<f64> {
        let job = self.skew.jobs.iter().position(|job| job.skew == skew)?;
        Some(self.skew.rows.iter().find(|row| row.name == name)?.factors.get(job)?.as_ref()?.value)
    }

    /// How many times faster than one thread where a key sleeps most, with as many workers as CPUs.
    fn asleep(&self, name: &str) -> Option<f64> {
        let workers = self.blocking.workers.iter().position(|workers| *workers as u64 == self.blocking.cpus)?;
        let row = self.blocking.rows.iter().find(|row| row.name == name)?;
        Some(row.shares.last()?.speed_ups.get(workers)?.as_ref()?.value)
    }

    fn grain(&self, text: String, holds: bool) -> Says {
        Says { text, picture: GRAIN.to_owned(), holds }
    }

    fn interference(&self, text: String, holds: bool) -> Says {
        Says { text, picture: "interference/interference.svg".to_owned(), holds }
    }
}

fn at(bound: Bound) -> Option<f64> {
    match bound {
        Bound::At { grain, .. } | Bound::Below(grain) => Some(grain),
        Bound::Above(_) | Bound::Unknown => None,
    }
}
