//! Fits the costs of each strategy to what was measured, by nonlinear least squares on relative errors.
//!
//! Every cost is positive and fitted as its logarithm. What the cells do not tell is held near where it begins by a weak pull, so
//! that a fit has one solution however few cells there are.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use statistics::least_squares::{Residuals, minimize};

use crate::advice::case::Demand;
use crate::advice::model::{Band, FORMAT, Model, Ranges, Strategy};
use crate::advice::observed::{NoModel, Observations, Observed};
use crate::advice::schedule::{SCHEDULES, Schedule};
use crate::advice::traits::Traits;
use crate::run::full::Full;
use crate::run::plan::SEQUENTIAL;

/// How strongly the parameters that every strategy has, before those of its outputs, are held where they begin: as the weight of a
/// relative error beside that of a cell.
const PULLS: [f64; 8] = [
    0.02, // start
    0.02, // start_per_worker
    0.02, // per_key
    0.02, // per_key_in_turn
    0.05, // slowdown_computing
    0.05, // slowdown_output
    0.05, // slowdown_crowded
    0.1,  // output_meanwhile
];

/// Sizes of outputs at which costs are fitted, as far as they were measured.
const SIZES: [f64; 8] = [8.0, 80.0, 800.0, 8e3, 8e4, 8e5, 8e6, 8e7];

/// What an output of no size costs, and what a byte costs, until the cells tell.
const OUTPUT: (f64, f64) = (1e-8, 4e-10);

/// How strongly an output is held to cost as much more as its neighbour as it did in the beginning.
const PULL_OF_OUTPUTS: f64 = 0.05;

/// What a sleep is too long until the cells tell: the 50 µs that Linux allows itself, and the way back.
const OVERSLEPT: (f64, f64) = (6e-5, 0.05);

/// Relative errors far above this count by their size and not by its square: a cell that was disturbed is to be passed over.
const USUAL: f64 = 0.1;

/// How far a parameter is moved to see what that changes.
const STEP: f64 = 1e-5;

/// Parts into which the jobs are divided, each to be predicted by a fit to the others.
const PARTS: usize = 10;

/// Batches up to so many seconds have a band of errors of their own: short ones are mostly the start of threads, and differ more.
const BANDS: [Option<f64>; 3] = [Some(1e-3), Some(1e-2), None];

/// Fewer errors than this say little of their largest; such a band takes those of all.
const FEW: usize = 8;

/// The share of predictions that an interval is to hold.
const COVERAGE: f64 = 0.9;

/// Fits a model to a run with its sweeps. `traits` says of each strategy what its manifest does.
pub(crate) fn fit(full: &Full, traits: impl Fn(&str) -> Traits + Sync) -> Result<Model, NoModel> {
    let Observations { sums, cells, ranges } = Observations::of(full)?;
    let machine = &full.run.machine;
    let cpus = machine.cpu_quota.unwrap_or(f64::INFINITY).min(machine.cpus_available as f64);
    let names: BTreeSet<&str> = cells.iter().map(|cell| cell.strategy.as_str()).collect();
    let of = |name: &str| -> Vec<&Observed> { cells.iter().filter(|cell| cell.strategy == name).collect() };

    let setting = Setting { cpus, overslept: None };
    let sequential = Fitted::best(&of(SEQUENTIAL), &setting);
    let overslept = sequential.overslept();
    let setting = Setting { overslept: Some(overslept), ..setting };
    let mut fitted: BTreeMap<&str, Fitted<'_>> = BTreeMap::from([(SEQUENTIAL, sequential)]);
    let others: Vec<&str> = names.into_iter().filter(|name| *name != SEQUENTIAL).collect();
    fitted.extend(others.into_par_iter().map(|name| (name, Fitted::best(&of(name), &setting))).collect::<Vec<_>>());

    let strategies = fitted.par_iter().map(|(name, fitted)| {
        let row = full.run.plan.row(name);
        let known = Traits {
            lines: row.and_then(|row| row.lines),
            survives_abort: full.run.survival.get(*name).map(|survival| survival.abort),
            ..traits(name)
        };
        ((*name).to_owned(), Strategy { errors: fitted.errors(), traits: known, ..legible(fitted.strategy()) })
    });
    let workers = full.run.plan.job().map_or(1, |job| job.workers);
    Ok(Model {
        format: FORMAT,
        stamp: full.run.plan.stamp.clone(),
        cpus,
        workers,
        memory_bytes: machine.memory_bytes,
        sums: sums.into_iter().map(|(values, time)| (values, rounded(time))).collect(),
        overslept: rounded(overslept),
        measured: Ranges {
            grain: (rounded(ranges.grain.0), rounded(ranges.grain.1)),
            blocking: rounded(ranges.blocking),
            ..ranges
        },
        strategies: strategies.collect(),
    })
}

/// The same with its costs rounded.
fn legible(strategy: Strategy) -> Strategy {
    Strategy {
        start: rounded(strategy.start),
        start_per_worker: rounded(strategy.start_per_worker),
        per_key: rounded(strategy.per_key),
        per_key_in_turn: rounded(strategy.per_key_in_turn),
        slowdown_computing: rounded(strategy.slowdown_computing),
        slowdown_output: rounded(strategy.slowdown_output),
        slowdown_crowded: rounded(strategy.slowdown_crowded),
        output_meanwhile: rounded(strategy.output_meanwhile),
        output: strategy.output.iter().map(|(size, cost)| (*size, rounded(*cost))).collect(),
        ..strategy
    }
}

/// What a fit is told.
#[derive(Clone, Debug)]
struct Setting {
    cpus: f64,
    /// Known from `sequential`, of which it is fitted.
    overslept: Option<f64>,
}

/// The costs of one strategy that explain its cells best, if it shares keys out by `schedule`.
#[derive(Clone, Debug)]
struct Fitted<'a> {
    setting: Setting,
    schedule: Schedule,
    cells: Vec<&'a Observed>,
    /// Where the parameters began.
    initial: Vec<f64>,
    /// Logarithms.
    parameters: Vec<f64>,
}

impl<'a> Fitted<'a> {
    /// By the schedule that explains best how unequal and sleeping keys are shared out.
    fn best(cells: &[&'a Observed], setting: &Setting) -> Fitted<'a> {
        let least = |one: Fitted<'a>, other: Fitted<'a>| {
            if other.misfit(|_| true) < one.misfit(|_| true) { other } else { one }
        };
        let fits = SCHEDULES.map(|schedule| Fitted::new(cells, setting, schedule).refined(1e-3));
        // Costs depend little on the schedule: from those of the best fit, the others may find their way where they got stuck.
        let costs = fits.iter().cloned().reduce(least).expect("there are schedules").parameters;
        let fits = fits.map(|fit| {
            let from = Fitted { parameters: costs.clone(), ..fit.clone() };
            least(fit, from.refined(1e-3))
        });
        // Of equals the first is taken: the simplest.
        let misfit = |fit: &Fitted<'_>| fit.misfit(|cell| cell.demand.tells_schedule());
        let is_better = |fit: &Fitted<'_>, than: &Fitted<'_>| misfit(fit) < 0.99 * misfit(than);
        let best = fits.into_iter().reduce(|best, other| if is_better(&other, &best) { other } else { best });
        best.expect("there are schedules").refined(1e-6)
    }

    /// Where the fit begins: the shortest batch is the start, and the least that a key took is what a key costs. From too far away
    /// it would end where only the start explains everything.
    fn new(cells: &[&'a Observed], setting: &Setting, schedule: Schedule) -> Fitted<'a> {
        let largest = cells.iter().map(|cell| cell.demand.bytes).fold(SIZES[0], f64::max);
        let least = |of: &dyn Fn(&Observed) -> f64| cells.iter().map(|cell| of(cell)).fold(1.0, f64::min);
        let start = least(&|cell| cell.seconds) / 2.0;
        let per_key = least(&|cell| cell.seconds / cell.demand.keys as f64);
        // In the order of the pulls.
        let common: [f64; PULLS.len()] = [start, 2e-5, per_key, 2e-8, 0.05, 0.3, 0.003, 0.7];
        let mut initial: Vec<f64> = common.map(f64::ln).into();
        initial.extend(setting.overslept.is_none().then_some(OVERSLEPT.0.ln()));
        let sizes = SIZES.iter().take_while(|size| **size <= 2.0 * largest);
        initial.extend(sizes.map(|size| (OUTPUT.0 + OUTPUT.1 * size).ln()));
        let parameters = initial.clone();
        Fitted { setting: setting.clone(), schedule, cells: cells.to_vec(), initial, parameters }
    }

    /// With the parameters that fit best.
    fn refined(mut self, tolerance: f64) -> Fitted<'a> {
        minimize(&mut self, 50, tolerance);
        self
    }

    /// Where those of the outputs begin.
    fn first_output(&self) -> usize {
        PULLS.len() + usize::from(self.setting.overslept.is_none())
    }

    fn overslept(&self) -> f64 {
        self.setting.overslept.unwrap_or_else(|| self.parameters[PULLS.len()].exp())
    }

    fn strategy(&self) -> Strategy {
        let value = |index: usize| self.parameters[index].exp();
        let outputs = &self.parameters[self.first_output()..];
        Strategy {
            schedule: self.schedule,
            start: value(0),
            start_per_worker: value(1),
            per_key: value(2),
            per_key_in_turn: value(3),
            slowdown_computing: value(4),
            slowdown_output: value(5),
            slowdown_crowded: value(6),
            output: SIZES.iter().copied().zip(outputs.iter().map(|cost| cost.exp())).collect(),
            output_meanwhile: value(7),
            most_keys: self.cells.iter().map(|cell| cell.demand.keys).max().unwrap_or(0),
            errors: Vec::new(),
            traits: Traits::default(),
        }
    }

    fn seconds(&self, strategy: &Strategy, demand: &Demand) -> f64 {
        strategy.seconds(demand, self.setting.cpus, self.overslept())
    }

    /// How far it is off at a cell.
    fn off(&self, strategy: &Strategy, cell: &Observed) -> f64 {
        tamed((self.seconds(strategy, &cell.demand) / cell.seconds).ln())
    }

    /// How far each parameter was moved from where it began, by how strongly it is held there.
    fn pulls(&self) -> Vec<f64> {
        let moved: Vec<f64> = self.parameters.iter().zip(&self.initial).map(|(here, initial)| here - initial).collect();
        let pulled = PULLS.iter().zip(&moved).map(|(weight, moved)| weight * moved);
        let overslept = self.setting.overslept.is_none().then(|| OVERSLEPT.1 * moved[PULLS.len()]);
        let outputs = &moved[self.first_output()..];
        let first = outputs.first().map(|moved| PULL_OF_OUTPUTS * moved).into_iter().collect::<Vec<_>>();
        let beside: Vec<f64> = outputs.windows(2).map(|pair| PULL_OF_OUTPUTS * (pair[1] - pair[0])).collect();
        pulled.chain(overslept).chain(first).chain(beside).collect()
    }

    /// Whether what a cell takes depends on the parameter at this place.
    fn depends_on(&self, cell: &Observed, index: usize) -> bool {
        let Some(size) = index.checked_sub(self.first_output()) else { return true };
        if cell.demand.is_written_meanwhile && !cell.demand.unequal.is_empty() {
            return true;
        }
        let last = self.parameters.len() - self.first_output() - 1;
        let is_above = size == 0 || cell.demand.bytes > SIZES[size - 1];
        let is_below = size == last || cell.demand.bytes < SIZES[size + 1];
        is_above && is_below
    }

    /// How badly it explains the cells that are `wanted`.
    fn misfit(&self, wanted: impl Fn(&Observed) -> bool) -> f64 {
        let strategy = self.strategy();
        let cells = self.cells.iter().filter(|cell| wanted(cell));
        cells.map(|cell| self.off(&strategy, cell).powi(2)).sum()
    }

    /// How far predictions are off for jobs that were left out of the fit.
    fn errors(&self) -> Vec<Band> {
        let mut errors: Vec<(f64, f64)> = Vec::new();
        for part in 0..PARTS {
            let (unseen, seen): (Vec<_>, Vec<_>) = self.cells.iter().partition(|cell| cell.job % PARTS == part);
            let without = Fitted { cells: seen, ..self.clone() }.refined(1e-4);
            let strategy = without.strategy();
            errors.extend(unseen.iter().map(|cell| {
                let seconds = without.seconds(&strategy, &cell.demand);
                (seconds, (seconds / cell.seconds).ln().abs())
            }));
        }
        let bands = BANDS.iter().scan(0.0, |least, upto| {
            let is_in = |time: f64| time > *least && upto.is_none_or(|upto| time <= upto);
            let of_band: Vec<f64> = errors.iter().filter(|(time, _)| is_in(*time)).map(|(_, error)| *error).collect();
            *least = upto.unwrap_or(f64::INFINITY);
            let of_all = || errors.iter().map(|(_, error)| *error).collect::<Vec<_>>();
            let cells = of_band.len();
            Some(Band { upto: *upto, error: rounded(quantile(if cells < FEW { of_all() } else { of_band })), cells })
        });
        bands.collect()
    }
}

/// A residual whose square is that of `error` while it is small, and grows with its size beyond [`USUAL`]: the pseudo-Huber loss
/// (Charbonnier and others, 1997).
fn tamed(error: f64) -> f64 {
    let scaled = error / USUAL;
    // 2 (sqrt(1 + x²) − 1), without the difference of two nearly equal numbers.
    let loss = 2.0 * scaled * scaled / ((1.0 + scaled * scaled).sqrt() + 1.0);
    (USUAL * loss.sqrt()).copysign(error)
}

/// With the digits that mean something, so that a file can be read, and is the same again.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

/// The value that [`COVERAGE`] of further ones are below, as far as these tell: the next larger one than that share of them, as conformal
/// prediction takes it.
fn quantile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = ((values.len() + 1) as f64 * COVERAGE).ceil() as usize;
    values.get(rank.max(1) - 1).or(values.last()).copied().unwrap_or(f64::INFINITY)
}

impl Residuals for Fitted<'_> {
    fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: &[f64]) {
        // Beyond e^12 of where it began no cost means anything.
        let within = |(value, initial): (&f64, &f64)| value.clamp(initial - 12.0, initial + 12.0);
        self.parameters = parameters.iter().zip(&self.initial).map(within).collect();
    }

    fn residuals(&self) -> Option<Vec<f64>> {
        let strategy = self.strategy();
        let off = self.cells.iter().map(|cell| self.off(&strategy, cell));
        let all: Vec<f64> = off.chain(self.pulls()).collect();
        all.iter().all(|residual| residual.is_finite()).then_some(all)
    }

    fn derivatives(&self) -> Option<Vec<Vec<f64>>> {
        let here = self.residuals()?;
        let columns = (0..self.parameters.len()).map(|index| {
            let mut moved = self.clone();
            moved.parameters[index] += STEP;
            let strategy = moved.strategy();
            // A schedule takes far longer to work out than all else, and few of them depend on what one size of output costs.
            let off = self
                .cells
                .iter()
                .zip(here.iter())
                .map(|(cell, here)| if self.depends_on(cell, index) { moved.off(&strategy, cell) } else { *here });
            let all = off.chain(moved.pulls());
            all.zip(&here).map(|(there, here)| (there - here) / STEP).collect()
        });
        Some(columns.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::agreement::{Limits, draw};
    use crate::advice::case::Case;
    use crate::advice::synthetic;
    use crate::numbers::stats::median;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    fn fitted(noise: f64, seed: u64) -> Model {
        fit(&synthetic::full(&synthetic::truth(), noise, seed), synthetic::traits).unwrap()
    }

    fn cases(model: &Model, count: usize) -> Vec<Case> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let limits = Limits { work: 10.0, bytes: 4e9 };
        (0..count).filter_map(|_| draw(model, limits, &mut rng)).collect()
    }

    #[test]
    fn the_truth_is_found_and_unseen_cases_are_predicted() {
        let (truth, model) = (synthetic::truth(), fitted(0.02, 1));
        for (name, strategy) in &truth.strategies {
            let found = &model.strategies[name];
            assert_eq!(found.schedule, strategy.schedule, "{name}");
            assert_eq!(found.traits, strategy.traits, "{name}");
        }
        assert!((model.overslept / truth.overslept).ln().abs() < 0.5, "{}", model.overslept);
        let errors: Vec<f64> = cases(&truth, 100)
            .iter()
            .flat_map(|case| synthetic::names().into_iter().map(|name| (case.clone(), name)))
            .filter_map(|(case, name)| Some((model.predict(&name, &case)?, truth.predict(&name, &case)?)))
            .map(|(found, expected)| (found.seconds / expected.seconds).ln().abs())
            .collect();
        let within = errors.iter().filter(|error| **error < 0.25_f64.ln_1p()).count() as f64 / errors.len() as f64;
        let median = median(errors.iter().copied()).unwrap();
        assert!(errors.len() > 400 && median < 0.05 && within > 0.9, "{median} and {within}");
    }

    #[test]
    fn an_interval_holds_nine_of_ten() {
        let (truth, model) = (synthetic::truth(), fitted(0.02, 2));
        let held: Vec<bool> = cases(&truth, 100)
            .iter()
            .flat_map(|case| synthetic::names().into_iter().map(|name| (case.clone(), name)))
            .filter_map(|(case, name)| Some((model.predict(&name, &case)?, truth.predict(&name, &case)?)))
            .map(|(found, expected)| (found.low..=found.high).contains(&expected.seconds))
            .collect();
        let share = held.iter().filter(|held| **held).count() as f64 / held.len() as f64;
        assert!(share > 0.7, "{share}");
    }

    #[test]
    fn more_keys_longer_keys_and_larger_outputs_never_take_less() {
        let model = fitted(0.02, 1);
        for case in cases(&model, 60) {
            let more = [
                Case { keys: case.keys * 2, ..case.clone() },
                Case { grain: case.grain * 2.0, ..case.clone() },
                Case { output_bytes: case.output_bytes * 10, ..case.clone() },
            ];
            for (name, strategy) in &model.strategies {
                let seconds = |case: &Case| strategy.seconds(&case.demand(), model.cpus, model.overslept);
                for more in &more {
                    assert!(seconds(more) > 0.97 * seconds(&case), "{name}: {case:?}, {more:?}");
                }
            }
        }
    }

    #[test]
    fn a_fit_is_the_same_from_the_same_files_and_survives_its_file() {
        let model = fitted(0.02, 1);
        let json = serde_json::to_string_pretty(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&json).unwrap(), model);
        assert_eq!(serde_json::to_string_pretty(&fitted(0.02, 1)).unwrap(), json);
    }

    #[test]
    fn a_run_that_lacks_a_sweep_or_its_sequential_gives_no_model() {
        let whole = synthetic::full(&synthetic::truth(), 0.0, 1);
        for missing in ["grain", "blocking"] {
            let mut full = whole.clone();
            full.sweeps.retain(|run| run.plan.sweep.as_deref() != Some(missing));
            let error = fit(&full, synthetic::traits).unwrap_err().to_string();
            assert_eq!(error, format!("it has no sweep {missing}; `compare --full` measures them all"));
        }
        let mut full = whole.clone();
        full.sweeps[0].measured.iter_mut().for_each(|measured| measured.warm.clear());
        let error = fit(&full, synthetic::traits).unwrap_err().to_string();
        assert!(error.starts_with("its sweep grain has no times of sequential"), "{error}");
    }

    #[test]
    fn what_does_not_depend_on_a_cost_need_not_be_worked_out_again() {
        let observations = Observations::of(&synthetic::full(&synthetic::truth(), 0.02, 1)).unwrap();
        let cells: Vec<&Observed> = observations.cells.iter().filter(|cell| cell.strategy == "counter").collect();
        let fitted = Fitted::new(&cells, &Setting { cpus: 2.0, overslept: Some(6e-5) }, Schedule::Greedy);
        let (here, derivatives) = (fitted.residuals().unwrap(), fitted.derivatives().unwrap());
        assert_eq!(derivatives.len(), fitted.parameters.len());
        for (index, column) in derivatives.iter().enumerate() {
            let mut moved = fitted.clone();
            moved.parameters[index] += STEP;
            let there = moved.residuals().unwrap();
            assert_eq!((column.len(), there.len()), (here.len(), here.len()));
            for ((derivative, there), here) in column.iter().zip(&there).zip(&here) {
                assert!((derivative - (there - here) / STEP).abs() < 1e-9, "{index}");
            }
        }
    }

    #[test]
    fn small_errors_count_by_their_square_and_large_ones_by_their_size() {
        assert!((tamed(-1e-3) / -1e-3 - 1.0).abs() < 1e-4);
        assert!((tamed(2.0).powi(2) / tamed(1.0).powi(2) - 2.0).abs() < 0.15);
        assert_eq!(tamed(0.0), 0.0);
    }

    #[test]
    fn disturbed_cells_are_passed_over() {
        let truth = synthetic::truth();
        let mut full = synthetic::full(&truth, 0.02, 5);
        for run in &mut full.sweeps {
            for (index, measured) in run.measured.iter_mut().enumerate().filter(|(index, _)| index % 12 == 5) {
                let slow = 2 + index as u64 % 3;
                measured.warm.values_mut().for_each(|answer| answer.report.run_ns[0] *= slow);
            }
        }
        let model = fit(&full, synthetic::traits).unwrap();
        let off = |case: &Case| {
            Some((model.predict("pool", case)?.seconds / truth.predict("pool", case)?.seconds).ln().abs())
        };
        let median = median(cases(&truth, 60).iter().filter_map(off)).unwrap();
        assert!(median < 0.07, "{median}");
    }

    #[test]
    fn nine_of_ten_values_are_below_their_quantile() {
        assert_eq!(quantile((1..=19).map(f64::from).collect()), 18.0);
        assert_eq!(quantile(vec![3.0, 1.0]), 3.0);
        assert_eq!(quantile(Vec::new()), f64::INFINITY);
    }
}
