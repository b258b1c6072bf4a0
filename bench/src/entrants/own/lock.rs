//! The versions that the programs are built from: the job's, and the strategies' where the job has none.

use cargo_metadata::semver::Version;
use toml::{Table, Value};

/// The lockfile of the programs: all that `job`'s has, and of `strategies`' what no version there can stand in for. cargo removes
/// what is too many, and finds out what is missing.
pub(super) fn merged(job: Option<&Table>, strategies: &Table) -> Table {
    let mut packages = job.map(packages).unwrap_or_default();
    let decided = packages.len();
    for package in self::packages(strategies) {
        let stands_in =
            |other: &Table| text(other, "name") == text(&package, "name") && are_compatible(other, &package);
        if !packages[..decided].iter().any(stands_in) {
            packages.push(package);
        }
    }
    let known: Vec<_> = packages.iter().map(|package| (owned(package, "name"), owned(package, "version"))).collect();
    for package in &mut packages {
        if let Some(Value::Array(needed)) = package.get_mut("dependencies") {
            *needed = needed.iter().filter_map(Value::as_str).filter_map(|needed| retold(needed, &known)).collect();
        }
    }
    let versions = job.into_iter().chain([strategies]).filter_map(|lock| lock.get("version")?.as_integer());
    let mut lock = Table::new();
    lock.extend(versions.max().map(|version| ("version".to_owned(), version.into())));
    // Where the oldest format has its checksums.
    lock.extend(job.and_then(|lock| lock.get_key_value("metadata")).map(|(key, value)| (key.clone(), value.clone())));
    lock.insert("package".to_owned(), packages.into_iter().map(Value::Table).collect::<Vec<_>>().into());
    lock
}

/// The entries of a lockfile. Each dependency is told with its version, so that it can be among more entries.
fn packages(lock: &Table) -> Vec<Table> {
    let listed = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let mut packages: Vec<Table> = listed.filter_map(Value::as_table).cloned().collect();
    let known: Vec<_> = packages.iter().map(|package| (owned(package, "name"), owned(package, "version"))).collect();
    for package in &mut packages {
        for needed in package.get_mut("dependencies").and_then(Value::as_array_mut).into_iter().flatten() {
            let only = known.iter().find(|(name, _)| needed.as_str() == Some(name));
            if let Some((name, version)) = only {
                *needed = format!("{name} {version}").into();
            }
        }
    }
    packages
}

/// A dependency among `known` packages: its own version, or the one that stands in for it.
fn retold(needed: &str, known: &[(String, String)]) -> Option<Value> {
    let mut parts = needed.splitn(3, ' ');
    let (name, version) = (parts.next()?, parts.next()?);
    let named = || known.iter().filter(|known| known.0 == name);
    if named().any(|known| known.1 == version) {
        return Some(if named().count() == 1 { name.into() } else { needed.into() });
    }
    let (_, other) = named().find(|known| is_range(&known.1, version))?;
    Some(if named().count() == 1 { name.into() } else { format!("{name} {other}").into() })
}

fn are_compatible(one: &Table, other: &Table) -> bool {
    is_range(text(one, "version"), text(other, "version"))
}

/// Whether cargo takes one of these for the other, and never both: they agree up to the first number that is not zero.
fn is_range(one: &str, other: &str) -> bool {
    let range = |version: &str| {
        let version = Version::parse(version).ok()?;
        Some(match (version.major, version.minor) {
            (0, 0) => (0, 0, version.patch),
            (0, minor) => (0, minor, 0),
            (major, _) => (major, 0, 0),
        })
    };
    one == other || range(one).is_some_and(|one| range(other) == Some(one))
}

fn text<'t>(package: &'t Table, key: &str) -> &'t str {
    package.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn owned(package: &Table, key: &str) -> String {
    text(package, key).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str, &[&str])]) -> Table {
        let package = |(name, version, needs): &(&str, &str, &[&str])| {
            let needs = if needs.is_empty() { String::new() } else { format!("dependencies = {needs:?}\n") };
            format!("[[package]]\nname = {name:?}\nversion = {version:?}\nsource = \"registry\"\n{needs}")
        };
        format!("version = 4\n{}", packages.iter().map(package).collect::<String>()).parse().unwrap()
    }

    #[test]
    fn the_job_decides_and_the_strategies_fill_in() {
        let job = lock(&[("a", "1.2.0", &["b"]), ("b", "0.3.1", &[])]);
        let strategies = lock(&[
            ("a", "1.9.0", &["b"]),
            ("b", "0.4.0", &[]),
            ("c", "2.0.0", &["a", "b", "d 1.0.0"]),
            ("d", "1.0.0", &[]),
        ]);
        let expected = lock(&[
            ("a", "1.2.0", &["b 0.3.1"]),
            ("b", "0.3.1", &[]),
            ("b", "0.4.0", &[]),
            ("c", "2.0.0", &["a", "b 0.4.0", "d"]),
            ("d", "1.0.0", &[]),
        ]);
        assert_eq!(merged(Some(&job), &strategies), expected);
        assert_eq!(merged(None, &job), job);
    }

    #[test]
    fn two_of_the_strategies_stay_two_and_the_newer_format_is_written() {
        let mut job = lock(&[]);
        job.insert("version".to_owned(), 3.into());
        let strategies = lock(&[("a", "1.0.0", &["b 0.1.0"]), ("b", "0.1.0", &[]), ("b", "0.2.0", &[])]);
        assert_eq!(merged(Some(&job), &strategies), strategies);
    }

    #[test]
    fn a_version_stands_in_for_those_of_its_range() {
        for (one, other) in [("1.0.0", "1.9.9"), ("0.3.0", "0.3.7"), ("0.0.1", "0.0.1"), ("1.2.1+spec", "1.0.0")] {
            assert!(is_range(one, other), "{one} {other}");
        }
        for (one, other) in [("1.0.0", "2.0.0"), ("0.3.0", "0.4.0"), ("0.0.1", "0.0.2"), ("0.1.0", "1.1.0"), ("x", "y")]
        {
            assert!(!is_range(one, other), "{one} {other}");
        }
    }
}
