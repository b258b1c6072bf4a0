//! What was asked for, and the programs that this comes to: strategies as they were built, the machine's limit, and the
//! programs of the notebook.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::entrants::building;
use crate::entrants::contender::{self, Contender, SelectError};
use crate::entrants::environment::{self, INTERPRETER, Missing};
use crate::entrants::lines;
use crate::entrants::notebook::{self, FOLDER, OTHER_BITS, SAME_BITS};
use crate::process::interrupt::Interrupt;
use crate::process::tell;
use anyhow::{Context, Result, bail};

use crate::process::tell::Usage;
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

    /// The strategies, of those that are there.
    fn select(&self, known: &[String]) -> Result<Vec<String>> {
        let brought = self.brought.iter().filter(|name| known.contains(name));
        let only: Vec<String> = self.strategies.iter().chain(brought).cloned().collect();
        contender::select(known, &only).map_err(as_usage)
    }

    /// The strategies in the folder `impls`.
    pub fn in_source(&self, root: &Path) -> Result<Vec<String>> {
        let impls = root.join("impls");
        let known = contender::strategies(&impls).with_context(|| format!("there is no {}", impls.display()))?;
        self.select(&known)
    }

    /// The strategies that somebody else has built.
    pub fn carried(&self, dir: &Path) -> Result<Vec<String>> {
        let known = contender::programs(dir).map_err(|error| unreadable("--bin-dir", dir, &error))?;
        self.select(&known)
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
    /// Strategies that did not build.
    pub unbuilt: Vec<String>,
}

/// Strategies of `impls` and the machine's limit, freshly built.
pub fn built(root: &Path, names: &[String], interrupt: &Interrupt) -> Result<Strategies> {
    tell::say(format_args!("building {} strategies", names.len()));
    let executables = building::build(root, names, interrupt)?;
    if !executables.contains_key(SEQUENTIAL) {
        bail!("{SEQUENTIAL} did not build, and every ratio is taken to it");
    }
    let path = |name: &str| executables.get(name).cloned();
    let contender = |name: &String| {
        let path = path(name).unwrap_or_else(|| root.join("target/release").join(name));
        described(Contender::program(&path, &shown(root, &path)), root)
    };
    let unbuilt = names.iter().filter(|name| !executables.contains_key(*name)).cloned().collect();
    let limit = path(LIMIT).map(|path| Contender::program(&path, &shown(root, &path)));
    Ok(Strategies { contenders: with_limits(names.iter().map(contender).collect(), limit), unbuilt })
}

/// The same of programs that somebody else has built.
pub fn carried(dir: &Path, root: &Path, names: &[String]) -> Strategies {
    let program = |name: &str| Contender::program(&dir.join(name), &shown(root, &dir.join(name)));
    let limit = dir.join(LIMIT).is_file().then(|| program(LIMIT));
    let contenders = names.iter().map(|name| described(program(name), root)).collect();
    Strategies { contenders: with_limits(contenders, limit), unbuilt: Vec::new() }
}

fn with_limits(mut contenders: Vec<Contender>, limit: Option<Contender>) -> Vec<Contender> {
    contenders.extend(limit.iter().flat_map(Contender::limits));
    contenders
}

/// With its lines of code, where its source is at hand.
fn described(contender: Contender, root: &Path) -> Contender {
    let lines = lines::of_strategy(&root.join("impls").join(&contender.name)).ok();
    Contender { lines, ..contender }
}

/// A path as results may show it: below the root, or without what is this machine's alone.
pub fn shown(root: &Path, path: &Path) -> String {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    path.strip_prefix(root).unwrap_or(&name).display().to_string()
}

/// The notebook's programs, with a Python that can run them, and those of `strategies` that they are compared with.
pub fn notebook(
    root: &Path,
    python: &str,
    selection: &Selection,
    strategies: &[Contender],
    interrupt: &Interrupt,
) -> Result<Notebook> {
    let mut programs: Vec<Contender> = Vec::new();
    for name in &selection.programs {
        let script = format!("{FOLDER}/{name}.py");
        let lines = fs::read_to_string(root.join(&script)).ok().map(|source| lines::count_python(&source));
        let program = Contender { lines, ..Contender::notebook(root, INTERPRETER, &script) };
        programs.extend(notebook::has_other_bits(name).then(|| program.drawing_from(OTHER_BITS)));
        programs.push(Contender { rng: Some(SAME_BITS.to_owned()), ..program });
    }
    programs.sort_by_key(|program| !program.name.contains(SEQUENTIAL));

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
    let compared = |strategy: &&Contender| {
        let name = strategy.name.as_str();
        let pairs = || selection.programs.iter().filter_map(|program| notebook::pair(program));
        name == SEQUENTIAL || pairs().any(|pair| pair.strategies.contains(&name))
    };
    let mut counterparts: Vec<Contender> =
        strategies.iter().filter(compared).map(|strategy| strategy.drawing_from(SAME_BITS)).collect();
    counterparts.sort_by_key(|strategy| strategy.name != reference_of_same_bits());
    Ok(Notebook { counterparts, programs, missing: None, requirements_xxh3: environment.requirements_xxh3 })
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
