//! What METHODOLOGY says of the intervals, on simulated runs whose true ratio is known.

use std::f64::consts::TAU;

use bench::numbers::stats::{ByRound, Figure};
use bench::numbers::stopping::{LEAST_ROUNDS, WITHIN, is_narrow};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Runs per scenario.
const RUNS: u64 = 1_000;

/// Resamples per figure. compare takes ten times as many, which moves an end in its third digit.
const RESAMPLES: usize = 1_000;

/// Rows of a simulated run. Two are looked at; the others are the time that passes between them.
const ROWS: usize = 14;

/// Where the budget of a simulated run is spent.
const MOST_ROUNDS: u32 = 40;

/// What disturbs the times of a run. Each scenario has 15 % of its samples slowed by 1.5 to 4 times.
struct Scenario {
    name: &'static str,
    /// The standard deviation of a time's logarithm.
    spread: f64,
    /// How much slower the machine is at the end of [`MOST_ROUNDS`], as a logarithm.
    drift: f64,
    /// The standard deviation of the machine's own state, an autoregressive process from sample to sample.
    state: f64,
    /// How much of that state is left after one sample. 0.95 leaves half of it after a round of 14.
    memory: f64,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "independent", spread: 0.025, drift: 0.0, state: 0.0, memory: 0.0 },
    Scenario { name: "drift", spread: 0.025, drift: 0.05, state: 0.0, memory: 0.0 },
    Scenario { name: "autocorrelated", spread: 0.025, drift: 0.0, state: 0.01, memory: 0.95 },
    Scenario { name: "all at once, noisy", spread: 0.035, drift: 0.05, state: 0.01, memory: 0.95 },
];

struct Noise(Xoshiro256PlusPlus);

impl Noise {
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Box and Muller, 1958.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

/// The times of two rows, the second `slowdown` times the first, for each of `rounds` rounds.
fn simulate(scenario: &Scenario, slowdown: f64, seed: u64, rounds: u32) -> [ByRound; 2] {
    let mut noise = Noise(Xoshiro256PlusPlus::seed_from_u64(seed));
    let mut rows = [ByRound::new(), ByRound::new()];
    let mut state = noise.normal();
    for round in 1..=rounds {
        let places = [noise.uniform(), noise.uniform()].map(|place| (place * ROWS as f64) as usize);
        for place in 0..ROWS {
            state = scenario.memory * state + (1.0 - scenario.memory.powi(2)).sqrt() * noise.normal();
            let passed = (f64::from(round - 1) + place as f64 / ROWS as f64) / f64::from(MOST_ROUNDS);
            for (row, factor) in [1.0, slowdown].into_iter().enumerate().filter(|(row, _)| places[*row] == place) {
                let disturbed = if noise.uniform() < 0.15 { 1.5 + 2.5 * noise.uniform() } else { 1.0 };
                let log = scenario.spread * noise.normal() + scenario.drift * passed + scenario.state * state;
                rows[row].insert(round, factor * disturbed * log.exp());
            }
        }
    }
    rows
}

/// The figures of both rows after so many rounds.
fn figures(rows: &[ByRound; 2], rounds: u32) -> [Figure; 2] {
    rows.each_ref().map(|row| {
        let so_far: ByRound = row.range(..=rounds).map(|(round, time)| (*round, *time)).collect();
        Figure::resampled(&so_far, 0, RESAMPLES).unwrap()
    })
}

/// After fixed rounds, or where the rule of `--within` stops; and how many rounds that took.
fn run(scenario: &Scenario, slowdown: f64, seed: u64, fixed: Option<u32>) -> ([Figure; 2], u32) {
    if let Some(rounds) = fixed {
        return (figures(&simulate(scenario, slowdown, seed, rounds), rounds), rounds);
    }
    let rows = simulate(scenario, slowdown, seed, MOST_ROUNDS);
    let mut was_narrow = false;
    let stops = |rounds: u32| {
        let figures = figures(&rows, rounds);
        let narrow = is_narrow(figures[1].over(&figures[0]), WITHIN);
        let stop = (narrow && was_narrow) || rounds == MOST_ROUNDS;
        was_narrow = narrow;
        stop.then_some((figures, rounds))
    };
    (LEAST_ROUNDS - 1..=MOST_ROUNDS).find_map(stops).unwrap()
}

/// Shares of runs in which the interval held the true ratio, and in which the rows were told apart; and the rounds.
fn shares(scenario: &Scenario, slowdown: f64, fixed: Option<u32>) -> (f64, f64, f64) {
    let threads = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
    let part = |thread: u64| {
        let runs = (0..RUNS).filter(|seed| seed % threads == thread);
        runs.fold((0.0, 0.0, 0.0), |(held, apart, rounds), seed| {
            let ([first, second], took) = run(scenario, slowdown, seed, fixed);
            let interval = second.over(&first).interval.unwrap();
            let holds = interval.low <= slowdown && slowdown <= interval.high;
            let told = second.is_clearly_above(&first) || first.is_clearly_above(&second);
            (held + f64::from(holds), apart + f64::from(told), rounds + f64::from(took))
        })
    };
    let (held, apart, rounds) = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        let sum = |a: (f64, f64, f64), b: (f64, f64, f64)| (a.0 + b.0, a.1 + b.1, a.2 + b.2);
        parts.into_iter().map(|part| part.join().unwrap()).fold((0.0, 0.0, 0.0), sum)
    });
    let share = |count: f64| count / RUNS as f64;
    (share(held), share(apart), share(rounds))
}

#[test]
fn intervals_hold_what_they_promise() {
    let mut broken = Vec::new();
    for scenario in &SCENARIOS {
        for (stop, fixed) in
            [("at the default stop", None), ("after 10 rounds", Some(10)), ("after 30 rounds", Some(30))]
        {
            let (held, equal_apart, _) = shares(scenario, 1.0, fixed);
            let (held_apart, apart, rounds) = shares(scenario, 1.05, fixed);
            let line = format!(
                "{} {stop}: {held} and {held_apart} hold the true ratio, {equal_apart} of equal rows are told apart, {apart} of \
                 rows 5 % apart, {rounds} rounds",
                scenario.name
            );
            println!("{line}");
            let right = [held, held_apart].iter().all(|held| (0.93..=0.97).contains(held));
            let powerful = fixed.is_some() || scenario.name == "all at once, noisy" || apart >= 0.9;
            if !right || equal_apart > 0.05 || !powerful {
                broken.push(line);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
