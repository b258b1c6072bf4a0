//! The pick, the runner-up, and why.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::advice::case::Case;
use crate::advice::model::{Model, Parts, Prediction, Strategy};
use crate::advice::observed::NEEDED;
use crate::numbers::digits::short_time;

/// What a strategy must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A key may end its process.
    pub may_crash: bool,
    /// It is called from async code.
    pub inside_tokio: bool,
    /// Nothing but this workspace's crates may come with it, and so no program either.
    pub no_dependencies: bool,
}

/// The advice, as `--format json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// The strategy; none outside of what was measured.
    pub pick: Option<String>,
    /// The next one, if there is one.
    pub runner_up: Option<String>,
    /// Of every strategy that could be picked, the fastest first; none outside of what was measured.
    pub predictions: Vec<Prediction>,
    /// One sentence each.
    pub reasons: Vec<String>,
    /// Whether the case is outside of what was measured.
    pub extrapolated: bool,
}

/// No strategy is what is needed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no strategy is left by {flags}{}", if *.keys == 0 { String::new() } else { format!(" that was measured with {keys} keys") })]
pub struct NoneLeft {
    flags: String,
    keys: u64,
}

/// Where a picture is: in the folder of the run, or in its page.
#[derive(Clone, Debug)]
pub struct Pictures {
    run: String,
    names: Vec<String>,
}

impl Needs {
    /// Whether `strategy` is all that.
    pub fn are_met_by(&self, strategy: &Strategy) -> bool {
        let traits = &strategy.traits;
        !traits.is_demonstration
            && (!self.may_crash || traits.survives_abort == Some(true))
            && (!self.inside_tokio || traits.is_inside_tokio)
            && (!self.no_dependencies || traits.is_by_itself())
    }

    /// As they were asked for.
    fn flags(&self) -> String {
        let flags = [
            (self.may_crash, "--may-crash"),
            (self.inside_tokio, "--inside-tokio"),
            (self.no_dependencies, "--no-dependencies"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(is_asked, _)| *is_asked).map(|(_, flag)| *flag).collect();
        if flags.is_empty() { "the run".to_owned() } else { flags.join(" ") }
    }
}

impl Pictures {
    /// Those of the run in the folder `run` and of its sweeps, each in its own. The run is called `shown`.
    pub fn of(run: &Path, shown: &str) -> Pictures {
        let folders = std::iter::once(String::new()).chain(NEEDED.map(|sweep| format!("{sweep}/")));
        let names = folders.flat_map(|folder| {
            let entries = fs::read_dir(run.join(&folder)).into_iter().flatten().filter_map(Result::ok);
            let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".svg")?.to_owned()));
            let mut names: Vec<String> = names.collect();
            names.sort();
            names.into_iter().map(move |name| format!("{folder}report.html#{name}"))
        });
        Pictures { run: shown.to_owned(), names: names.collect() }
    }

    /// The picture of this name, else one of the same sweep, else the place in the page where it would be.
    fn link(&self, name: &str) -> String {
        let find = |is_it: &dyn Fn(&str) -> bool| {
            self.names.iter().find(|page| page.split_once('#').is_some_and(|(_, name)| is_it(name)))
        };
        let sweep = name.split('-').next().unwrap_or(name);
        match find(&|other| other == name).or_else(|| find(&|other| other.starts_with(sweep))) {
            Some(page) => format!("{}/{page}", self.run),
            None => format!("{}/report.html#{name}", self.run),
        }
    }
}

/// Advises on `case`.
///
/// # Errors
///
/// If no strategy is what is needed.
pub fn advise(model: &Model, case: &Case, needs: Needs, pictures: &Pictures) -> Result<Advice, NoneLeft> {
    let fit: Vec<&String> =
        model.strategies.iter().filter(|(_, strategy)| needs.are_met_by(strategy)).map(|(name, _)| name).collect();
    if fit.is_empty() {
        return Err(NoneLeft { flags: needs.flags(), keys: 0 });
    }
    let outside = model.outside(case);
    if !outside.is_empty() {
        return Ok(Advice {
            pick: None,
            runner_up: None,
            predictions: Vec::new(),
            reasons: outside,
            extrapolated: true,
        });
    }
    let mut predictions: Vec<Prediction> = fit.iter().filter_map(|name| model.predict(name, case)).collect();
    predictions.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let Some((order, equals)) = order(model, &predictions) else {
        return Err(NoneLeft { flags: needs.flags(), keys: case.keys });
    };
    let pick = order[0];
    let runner_up = order.get(1).copied();
    let mut reasons = vec![reason(model, case, pick, runner_up.unwrap_or(pick), pictures)];
    reasons.extend(runner_up.map(|runner_up| reason(model, case, runner_up, pick, pictures)));
    if equals > 1 {
        reasons.push(equal(model, &predictions, pick, equals));
    }
    reasons.extend([Some(pick), runner_up].into_iter().flatten().filter_map(|it| needed(model, &it.strategy)));
    Ok(Advice {
        pick: Some(pick.strategy.clone()),
        runner_up: runner_up.map(|prediction| prediction.strategy.clone()),
        reasons,
        extrapolated: false,
        predictions,
    })
}

/// The predictions in the order in which they are advised, and how many of them may be as fast as the fastest. Those come first, by
/// what they depend on and by their length; the others by their time.
pub(crate) fn order<'a>(model: &Model, predictions: &'a [Prediction]) -> Option<(Vec<&'a Prediction>, usize)> {
    let fastest = predictions.first()?;
    let (mut order, slower): (Vec<&Prediction>, Vec<&Prediction>) =
        predictions.iter().partition(|prediction| prediction.is_as_fast_as(fastest));
    let equals = order.len();
    order.sort_by_key(|prediction| weight(model, &prediction.strategy));
    order.extend(slower);
    Some((order, equals))
}

/// How much comes along with a strategy: crates, then lines. What is not known counts as much.
fn weight(model: &Model, name: &str) -> (usize, usize) {
    let traits = model.strategies.get(name).map(|strategy| &strategy.traits);
    let crates = traits.and_then(|traits| Some(traits.dependencies.as_ref()?.len()));
    let lines = traits.and_then(|traits| traits.lines);
    (crates.unwrap_or(usize::MAX), lines.unwrap_or(usize::MAX))
}

/// A part of the time: what it is for one strategy and for the other, in words, and the picture that shows it.
struct Difference {
    by: f64,
    picture: String,
    told: String,
}

/// What sets `one` apart from `other`: the part of their times that differs most.
fn reason(model: &Model, case: &Case, one: &Prediction, other: &Prediction, pictures: &Pictures) -> String {
    let (a, b) = (one.strategy.as_str(), other.strategy.as_str());
    let costs = |name: &str| Some((model.strategies.get(name)?, model.parts(name, case)?));
    let Some(((first, parts), (second, others))) = costs(a).zip(costs(b)) else { return String::new() };
    if a == b {
        let told = format!(
            "{a} is expected to take {}, of which {} is the keys' own work",
            short_time(one.seconds),
            short_time(parts.work)
        );
        return format!("{told}; see {}", pictures.link("grain-warm"));
    }
    let differences = differences([(a, first, &parts), (b, second, &others)], case);
    // Of the parts that are in favour of the faster one, since those are what decides.
    let sign = if one.seconds <= other.seconds { 1.0 } else { -1.0 };
    let largest = differences.into_iter().max_by(|x, y| (sign * x.by).total_cmp(&(sign * y.by)));
    let Some(Difference { told, picture, .. }) = largest else { return String::new() };
    format!("{told}; see {}", pictures.link(&picture))
}

/// The parts of two times, each by how much it is larger in the second.
fn differences(
    [(a, first, parts), (b, second, others)]: [(&str, &Strategy, &Parts); 2],
    case: &Case,
) -> Vec<Difference> {
    let keys = case.keys as f64;
    let each = |strategy: &Strategy| strategy.per_key.max(strategy.per_key_in_turn);
    let bytes = case.output_bytes as f64;
    let difference = |one: f64, other: f64, picture: &str, told| {
        let picture = picture.to_owned();
        Difference { by: other - one, picture, told }
    };
    let blocking = format!("blocking-{}", case.workers);
    let skew = format!("skew-{}", harness::skew_name(case.skew));
    vec![
        difference(
            parts.start,
            others.start,
            "grain-cold",
            format!(
                "{a} starts {} workers in {}, {b} in {}",
                case.workers,
                short_time(parts.start),
                short_time(others.start)
            ),
        ),
        difference(
            parts.overhead.max(keys * first.per_key_in_turn),
            others.overhead.max(keys * second.per_key_in_turn),
            "grain-warm",
            format!(
                "{a} spends {} on a key besides its work, {b} {}",
                short_time(each(first)),
                short_time(each(second))
            ),
        ),
        difference(
            parts.output,
            others.output,
            "size-block",
            format!(
                "{a} spends {} on an output of {} bytes, {b} {}",
                short_time(first.output_seconds(bytes)),
                case.output_bytes,
                short_time(second.output_seconds(bytes))
            ),
        ),
        difference(
            parts.work,
            others.work,
            "scaling-sum",
            format!("{a} needs {} for the keys' own work, {b} {}", short_time(parts.work), short_time(others.work)),
        ),
        difference(
            parts.waiting,
            others.waiting,
            if case.blocking > 0.0 { &blocking } else { &skew },
            format!(
                "{a} leaves CPUs without work for {}, {b} for {}",
                short_time(parts.waiting),
                short_time(others.waiting)
            ),
        ),
    ]
}

/// Why the pick is one of several.
fn equal(model: &Model, predictions: &[Prediction], pick: &Prediction, equals: usize) -> String {
    let Some(fastest) = predictions.first() else { return String::new() };
    let others: Vec<&str> = predictions
        .iter()
        .filter(|prediction| prediction.is_as_fast_as(fastest) && prediction.strategy != pick.strategy)
        .map(|prediction| prediction.strategy.as_str())
        .collect();
    let (crates, lines) = weight(model, &pick.strategy);
    let what = match (crates, lines) {
        (usize::MAX, _) => "is the first of them".to_owned(),
        (0, usize::MAX) => "needs no crate".to_owned(),
        (0, lines) => format!("needs no crate and has {lines} lines"),
        (1, usize::MAX) => "needs one crate".to_owned(),
        (1, lines) => format!("needs one crate and has {lines} lines"),
        (crates, usize::MAX) => format!("needs {crates} crates"),
        (crates, lines) => format!("needs {crates} crates and has {lines} lines"),
    };
    let intervals = if equals == 2 { "interval overlaps" } else { "intervals overlap" };
    format!(
        "{} {what}; it may be as fast as {}, whose {intervals} with that of the fastest",
        pick.strategy,
        others.join(", ")
    )
}

/// The program that a strategy cannot do without.
fn needed(model: &Model, name: &str) -> Option<String> {
    let program = model.strategies.get(name)?.traits.needs.as_ref()?;
    Some(format!("{name} needs the program {program} on PATH"))
}

impl Advice {
    /// For people.
    pub fn text(&self, case: &Case) -> String {
        let mut text = String::new();
        let Case { keys, grain, output_bytes, skew, blocking, workers } = case;
        let asleep = if *blocking > 0.0 { format!(", {:.0} % of it asleep", blocking * 100.0) } else { String::new() };
        text += &format!(
            "{keys} keys of {}{asleep}, {}, {output_bytes} bytes each, {workers} workers\n",
            short_time(*grain),
            harness::skew_name(*skew)
        );
        if self.extrapolated {
            text += "\nThis is outside of what was measured, so there is no prediction:\n";
        }
        for (title, name) in [("pick", &self.pick), ("runner-up", &self.runner_up)] {
            let Some(name) = name else { continue };
            let Some(of) = self.predictions.iter().find(|it| it.strategy == *name) else { continue };
            let (low, high) = (short_time(of.low), short_time(of.high));
            text += &format!("\n{title:<10} {name:<18} {} [{low}, {high}]", short_time(of.seconds));
        }
        if !self.extrapolated {
            text += "\n\n";
        }
        self.reasons.iter().for_each(|reason| text += &format!("- {reason}\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::synthetic;
    use workloads::Skew;

    fn case() -> Case {
        Case { keys: 10_000, grain: 5e-5, output_bytes: 800, skew: Skew::Uniform, blocking: 0.0, workers: 2 }
    }

    fn pictures() -> Pictures {
        Pictures { run: "results/x".to_owned(), names: vec!["grain/report.html#grain-warm".to_owned()] }
    }

    fn advice(case: &Case, needs: Needs) -> Advice {
        advise(&synthetic::truth(), case, needs, &pictures()).unwrap()
    }

    #[test]
    fn the_fastest_is_picked_and_equals_go_by_what_comes_along() {
        let given = advice(&case(), Needs::default());
        // All three overlap; `pool` needs a crate, and `chunks` has more lines.
        assert_eq!(given.pick.as_deref(), Some("counter"));
        assert_eq!(given.runner_up.as_deref(), Some("chunks"));
        assert!(given.predictions.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds));
        assert!(given.predictions.iter().all(|it| it.low < it.seconds && it.seconds < it.high));
        assert!(given.reasons.len() >= 2 && given.reasons.iter().all(|reason| !reason.is_empty()));
        assert!(given.reasons[0].contains("see results/x/grain/report.html#grain-warm"), "{:?}", given.reasons);
        assert!(given.reasons.last().unwrap().contains("no crate"), "{:?}", given.reasons);
    }

    #[test]
    fn needs_leave_out_what_does_not_meet_them() {
        let needs = |may_crash, inside_tokio, no_dependencies| Needs { may_crash, inside_tokio, no_dependencies };
        assert_eq!(advice(&case(), needs(true, false, false)).pick.as_deref(), Some("processes"));
        assert_eq!(advice(&case(), needs(false, true, false)).pick.as_deref(), Some("pool"));
        assert_eq!(advice(&case(), needs(false, true, false)).runner_up, None);
        let none = advise(&synthetic::truth(), &case(), needs(true, true, false), &pictures()).unwrap_err();
        assert_eq!(none.to_string(), "no strategy is left by --may-crash --inside-tokio");
        let all = advice(&case(), Needs::default()).predictions;
        assert!(all.iter().all(|it| it.strategy != "lock"), "a demonstration is no advice");
    }

    #[test]
    fn a_program_that_comes_along_is_told_of() {
        let mut model = synthetic::truth();
        model.strategies.get_mut("counter").unwrap().traits.needs = Some("a-server".to_owned());
        let advice = |needs| advise(&model, &case(), needs, &pictures()).unwrap();
        let given = advice(Needs::default());
        assert_eq!(given.pick.as_deref(), Some("counter"));
        assert_eq!(given.reasons.last().unwrap(), "counter needs the program a-server on PATH");
        let alone = advice(Needs { no_dependencies: true, ..Needs::default() });
        assert!(alone.predictions.iter().all(|it| it.strategy != "counter"), "{:?}", alone.predictions);
    }

    #[test]
    fn outside_of_what_was_measured_there_is_no_number() {
        let far = Case { keys: 10_000_000, grain: 2.0, blocking: 0.95, ..case() };
        let given = advice(&far, Needs::default());
        assert!(given.extrapolated && given.predictions.is_empty() && given.pick.is_none());
        assert_eq!(given.reasons.len(), 3);
        assert!(given.reasons[0].starts_with("--keys 10000000: measured from "), "{:?}", given.reasons);
        assert!(given.reasons[1].starts_with("--grain 2.00 s: measured from "), "{:?}", given.reasons);
        let json = serde_json::to_value(&given).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 5);
        for key in ["pick", "runner_up", "predictions", "reasons", "extrapolated"] {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert!(!given.text(&far).contains("pick"));
    }

    #[test]
    fn a_huge_key_is_a_reason() {
        let huge = Case { keys: 100, grain: 1e-3, skew: Skew::Zipf, ..case() };
        let given = advice(&huge, Needs { no_dependencies: true, ..Needs::default() });
        assert_eq!(given.pick.as_deref(), Some("counter"));
        assert_eq!(given.runner_up.as_deref(), Some("chunks"));
        assert!(given.reasons[0].contains("leaves CPUs without work"), "{:?}", given.reasons);
        assert!(given.reasons[0].ends_with("see results/x/report.html#skew-zipf"), "{:?}", given.reasons);
    }
}
