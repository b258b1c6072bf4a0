//! What was asked for, and the programs that this comes to: strategies as they were built, the machine's limit, and the
//! programs of the notebook.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::entrants::building;
use crate::entrants::contender::{self, Contender, SelectError};
use crate::entrants::environment::{self, INTERPRETER, Missing};
use crate::entrants::lines;
use crate::entrants::manifest::{self, Lacking};
use crate::entrants::notebook::{self, FOLDER, OTHER_BITS, SAME_BITS};
use crate::process::interrupt::Interrupt;
use crate::process::tell;
use anyhow::{Context, Result, bail};

use crate::process::tell::Usage;
use crate::run::allocator::Allocator;
use crate::run::plan::{LIMIT, SEQUENTIAL};

/// What `--only` asks for.
pub struct Selection {
    /// Strategies; all if there are none here nor in `brought`.
    strategies: Vec<String>,
    /// Strategies that the programs are compared with, as far as they are there.
    brought: Vec<String>,
    /// Programs of the notebook.
    programs: Vec<String>,
}

/// The strategies that were selected.
pub struct Selected {
    /// Those that can run here.
    pub names: Vec<String>,
    /// Those that need a program which is not here.
    pub lacking: Vec<Lacking>,
}

/// The notebook's rows.
#[derive(Default)]
pub struct Notebook {
    /// Strategies that draw as the programs do, `sequential` first.
    pub counterparts: Vec<Contender>,
    /// The programs, the one that others of its generator are compared with before those.
    pub programs: Vec<Contender>,
    /// Why none of them can be measured.
    pub missing: Option<Missing>,
    /// XXH3-128 of what pins their packages.
    pub requirements_xxh3: String,
}

impl Selection {
    /// Takes the names apart. A program brings the strategies that it is compared with, unless strategies are named; and
    /// strategies alone leave all programs.
    pub fn of(only: &[String], root: &Path, python: bool) -> Result<Selection> {
        if !python {
            return Ok(Selection { strategies: only.to_vec(), brought: Vec::new(), programs: Vec::new() });
        }
        let folder = root.join(FOLDER);
        let known = notebook::programs(&folder).map_err(|error| unreadable("--python", &folder, &error))?;
        let (programs, strategies): (Vec<_>, Vec<_>) = only.iter().cloned().partition(|name| notebook::is_row(name));
        if let Some(name) = programs.iter().find(|name| !known.contains(name)) {
            let nearest = contender::nearest(name, &known);
            return Err(as_usage(SelectError::Unknown { name: name.clone(), nearest }));
        }
        let mut brought = Vec::new();
        if !programs.is_empty() && strategies.is_empty() {
            brought.push(SEQUENTIAL.to_owned());
            let pairs = programs.iter().filter_map(|name| notebook::pair(name));
            brought.extend(pairs.flat_map(|pair| pair.strategies).map(|name| (*name).to_owned()));
        }
        Ok(Selection { strategies, brought, programs: if programs.is_empty() { known } else { programs } })
    }

    /// The strategies, of those that are there. One that lacks a program is left out; if nothing else was named, that is an error,
    /// since `sequential` alone is not what was asked for.
    fn select(&self, known: &[String], impls: &Path) -> Result<Selected> {
        let brought = self.brought.iter().filter(|name| known.contains(name));
        let only: Vec<String> = self.strategies.iter().chain(brought).cloned().collect();
        let mut names = contender::select(known, &only).map_err(as_usage)?;
        let lacking = manifest::lacking(impls, &names)?;
        names.retain(|name| lacking.iter().all(|lacking| lacking.strategy != *name));
        let has_others = names.iter().any(|name| name != SEQUENTIAL) || !self.programs.is_empty();
        if !self.strategies.is_empty() && !lacking.is_empty() && !has_others {
            let lacking: Vec<String> = lacking.iter().map(Lacking::to_string).collect();
            return Err(Usage(format!("--only: {}", lacking.join("; "))).into());
        }
        Ok(Selected { names, lacking })
    }

    /// The strategies in the folder `impls`.
    pub fn in_source(&self, root: &Path) -> Result<Selected> {
        let impls = root.join("impls");
        let known = contender::strategies(&impls).with_context(|| format!("there is no {}", impls.display()))?;
        self.select(&known, &impls)
    }

    /// The strategies that somebody else has built in `dir`. What they need is needed here too, as far as the source at `root` tells
    /// of it.
    pub fn carried(&self, dir: &Path, root: &Path) -> Result<Selected> {
        let known = contender::programs(dir).map_err(|error| unreadable("--bin-dir", dir, &error))?;
        self.select(&known, &root.join("impls"))
    }
}

impl Selected {
    /// Those that can run here, once it was said which cannot.
    pub fn told(self) -> Vec<String> {
        self.lacking.iter().for_each(|lacking| tell::warn(format_args!("not measured: {lacking}")));
        self.names
    }

    /// A row for each that cannot, with each of `allocators`, and why.
    pub(crate) fn not_measured(&self, root: &Path, allocators: &[Allocator]) -> Vec<(Contender, String)> {
        let with = |allocator: Allocator| {
            let row = move |lacking: &Lacking| {
                let name = &lacking.strategy;
                let program = Contender::program(Path::new(name), name);
                (described(program, root, name, allocator), lacking.needs.to_string())
            };
            self.lacking.iter().filter(move |_| allocators.contains(&allocator)).map(row)
        };
        with_the_systems(allocators).flat_map(with).collect()
    }
}

/// A name that was asked for is wrong.
fn as_usage(error: SelectError) -> anyhow::Error {
    Usage(format!("--only: {error}")).into()
}

fn unreadable(flag: &str, folder: &Path, error: &io::Error) -> anyhow::Error {
    Usage(format!("{flag}: {}: {error}", folder.display())).into()
}

/// Programs that take part, and what there is to say of those that do not.
#[derive(Default)]
pub struct Strategies {
    /// Strategies, and the machine's limit if it is there.
    pub contenders: Vec<Contender>,
    /// Rows that did not build.
    pub unbuilt: Vec<String>,
}

/// Those of `names` that are measured with `allocator`, one of `allocators`: all of them, and with the system's `sequential` in
/// any case, since it is what all are compared with.
pub(crate) fn names_with(allocator: Allocator, names: &[String], allocators: &[Allocator]) -> Vec<String> {
    let wanted = |name: &&String| allocators.contains(&allocator) || (allocator.is_system() && *name == SEQUENTIAL);
    names.iter().filter(wanted).cloned().collect()
}

/// The system's allocator, and what else of `allocators` there is.
pub(crate) fn with_the_systems(allocators: &[Allocator]) -> impl Iterator<Item = Allocator> {
    let others = allocators.iter().copied().filter(|allocator| !allocator.is_system());
    std::iter::once(Allocator::System).chain(others)
}

/// Strategies of `impls`, freshly built with each of `allocators`, and the machine's limit.
pub fn built(root: &Path, names: &[String], allocators: &[Allocator], interrupt: &Interrupt) -> Result<Strategies> {
    let mut strategies = Strategies::default();
    let mut limit = None;
    for allocator in with_the_systems(allocators) {
        let names = names_with(allocator, names, allocators);
        let with = if allocator.is_system() { String::new() } else { format!(" with {}", allocator.name()) };
        tell::say(format_args!("building {} strategies{with}", names.len()));
        let executables = building::build(root, &names, allocator, interrupt)?;
        if allocator.is_system() && !executables.contains_key(SEQUENTIAL) {
            bail!("{SEQUENTIAL} did not build, and every ratio is taken to it");
        }
        limit = limit.or_else(|| executables.get(LIMIT).map(|path| Contender::program(path, &shown(root, path))));
        for name in &names {
            let missing = || root.join("target/release").join(allocator.row_of(name));
            let path = executables.get(name).cloned().unwrap_or_else(missing);
            let contender = described(Contender::program(&path, &shown(root, &path)), root, name, allocator);
            if !executables.contains_key(name) {
                strategies.unbuilt.push(contender.name.clone());
            }
            strategies.contenders.push(contender);
        }
    }
    strategies.contenders = with_limits(strategies.contenders, limit);
    Ok(strategies)
}

/// The same as they would be built, whether they are there or not.
pub fn to_be_built(root: &Path, names: &[String], allocators: &[Allocator]) -> Result<Vec<Contender>> {
    let (target, has_limit) = building::expected(root)?;
    let program = |path: PathBuf| Contender::program(&path, &shown(root, &path));
    let contenders = with_the_systems(allocators).flat_map(|allocator| {
        let folder = building::release(&target, allocator);
        let names = names_with(allocator, names, allocators);
        names.into_iter().map(move |name| program(folder.join(&name)).with(&name, allocator))
    });
    let limit = has_limit.then(|| program(building::release(&target, Allocator::System).join(LIMIT)));
    Ok(with_limits(contenders.collect(), limit))
}

/// The same of programs that somebody else has built. One with another allocator has that in its name: `std-counter.mimalloc`.
pub fn carried(dir: &Path, root: &Path, names: &[String], allocators: &[Allocator]) -> Result<Strategies> {
    let program = |name: &str| Contender::program(&dir.join(name), &shown(root, &dir.join(name)));
    let limit = dir.join(LIMIT).is_file().then(|| program(LIMIT));
    let mut contenders = Vec::new();
    for allocator in with_the_systems(allocators) {
        for name in names_with(allocator, names, allocators) {
            let file = allocator.row_of(&name);
            if !contender::is_executable(&dir.join(&file)) {
                let allocator = allocator.name();
                return Err(Usage(format!(
                    "--bin-dir {}: there is no {file}; `cargo build --release --features harness/{allocator} --bin {name} \
                     --target-dir target/allocators/{allocator}` makes a {name} that may be carried by this name",
                    dir.display()
                ))
                .into());
            }
            contenders.push(described(program(&file), root, &name, allocator));
        }
    }
    Ok(Strategies { contenders: with_limits(contenders, limit), unbuilt: Vec::new() })
}

fn with_limits(mut contenders: Vec<Contender>, limit: Option<Contender>) -> Vec<Contender> {
    contenders.extend(limit.iter().flat_map(Contender::limits));
    contenders
}

/// As the row of `strategy` with this allocator, with its lines of code where its source is at hand.
pub(crate) fn described(program: Contender, root: &Path, strategy: &str, allocator: Allocator) -> Contender {
    let lines = lines::of_strategy(&root.join("impls").join(strategy)).ok();
    Contender { lines, ..program.with(strategy, allocator) }
}

/// A path as results may show it: below the root, or without what is this machine's alone. Which allocator a program has been
/// built with is not.
pub fn shown(root: &Path, path: &Path) -> String {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let place = path.ancestors().find(|place| place.ends_with(building::ALLOCATORS)).and_then(Path::parent);
    let below = path.strip_prefix(root).ok().or_else(|| path.strip_prefix(place?).ok());
    below.unwrap_or(&name).display().to_string()
}

/// The notebook's programs, with a Python that can run them, and those of `strategies` that they are compared with.
pub fn notebook(
    root: &Path,
    python: &str,
    selection: &Selection,
    strategies: &[Contender],
    interrupt: &Interrupt,
) -> Result<Notebook> {
    let programs = notebook_programs(root, selection);
    let environment = match environment::find(root, python, interrupt)? {
        Ok(Some(environment)) => Ok(environment),
        Ok(None) => made(root, python, interrupt)?,
        Err(missing) => Err(missing),
    };
    let environment = match environment {
        Ok(environment) => environment,
        Err(missing) => {
            tell::warn(format_args!("the notebook's programs are not measured: {missing}"));
            return Ok(Notebook { programs, missing: Some(missing), ..Notebook::default() });
        }
    };
    let counterparts = counterparts(selection, strategies);
    Ok(Notebook { counterparts, programs, missing: None, requirements_xxh3: environment.requirements_xxh3 })
}

/// The notebook's programs, whether there is a Python that can run them or not.
pub fn notebook_programs(root: &Path, selection: &Selection) -> Vec<Contender> {
    let mut programs: Vec<Contender> = Vec::new();
    for name in &selection.programs {
        let script = format!("{FOLDER}/{name}.py");
        let lines = fs::read_to_string(root.join(&script)).ok().map(|source| lines::count_python(&source));
        let program = Contender { lines, ..Contender::notebook(root, INTERPRETER, &script) };
        programs.extend(notebook::has_other_bits(name).then(|| program.drawing_from(OTHER_BITS)));
        programs.push(Contender { rng: Some(SAME_BITS.to_owned()), ..program });
    }
    programs.sort_by_key(|program| !program.name.contains(SEQUENTIAL));
    programs
}

/// Those of `strategies` that programs of the notebook are compared with, drawing as these do.
pub fn counterparts(selection: &Selection, strategies: &[Contender]) -> Vec<Contender> {
    let compared = |strategy: &&Contender| {
        let name = strategy.name.as_str();
        let pairs = || selection.programs.iter().filter_map(|program| notebook::pair(program));
        name == SEQUENTIAL || pairs().any(|pair| pair.strategies.contains(&name))
    };
    let mut counterparts: Vec<Contender> =
        strategies.iter().filter(compared).map(|strategy| strategy.drawing_from(SAME_BITS)).collect();
    counterparts.sort_by_key(|strategy| strategy.name != reference_of_same_bits());
    counterparts
}

/// The row that all others with CPython's bits are compared with.
pub fn reference_of_same_bits() -> String {
    format!("{SEQUENTIAL}.{SAME_BITS}")
}

fn made(root: &Path, python: &str, interrupt: &Interrupt) -> Result<Result<environment::Environment, Missing>> {
    tell::say("installing what the notebook's programs need in target/python (some 20 MB, once)");
    Ok(environment::make(root, &temporary(root)?, python, interrupt, tell::say)?)
}

/// Where installers have what they need meanwhile, so that an interrupted one leaves nothing outside the target folder.
pub fn temporary(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/tmp");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
