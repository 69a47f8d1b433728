//! The solver against libsolv, on random small universes: the same can be installed, and what is chosen fits together.
//!
//! `PROPTEST_CASES` sets how many universes there are; they are the same ones in every run.

use planner::{Index, PackageId, SeedPackage, Universe, install_set};
use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use rpmspec_parser::rpm::{Capability, Dependency, Evr, Nevra, PackageMetadata};
use rpmspec_parser::spec::Located;
use tests::oracle::{Libsolv, Wanted};
use tests::skip;
use tests::validity::{Violation, search, violations};

const UNIVERSES: u32 = 2000;
const ARCH: &str = "x86_64";

/// How answers may differ, because libsolv does not do as rpm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// A package that refuses by a rich dependency what it offers itself, `Conflicts: (itself or other)`, is
    /// installable to libsolv, which leaves the package out of its own conflicts. rpm does so for plain ones only:
    /// `rpm -i` of such a package ends with "conflicts with".
    ConflictWithItself,
}

fn capability() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f", "v", "w", "v", "w", "/bin/x", "/opt/y", "nowhere"];
    const RELATIONS: &[&str] = &["<", "<=", "=", ">=", ">"];
    const VERSIONS: &[&str] = &["1", "2", "1-1", "1-2", "2-1", "1:1", "1:1-1", "2~rc-1", "1^p-1"];
    (select(NAMES), weighted(0.3, (select(RELATIONS), select(VERSIONS)))).prop_map(|(name, version)| match version {
        Some((relation, version)) if !name.starts_with('/') => format!("{name} {relation} {version}"),
        _ => name.to_owned(),
    })
}

/// One package that meets both, or not.
fn one_package() -> impl Strategy<Value = String> {
    capability().prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} with {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} without {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(({a} or {b}) with v)")),
        ]
    })
}

fn rich() -> impl Strategy<Value = String> {
    prop_oneof![3 => capability(), 1 => one_package()].prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" and "))),
            vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" or "))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} if {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} unless {b})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} unless {b} else {c})")),
        ]
    })
}

/// One, or none.
fn perhaps<T: Strategy>(likely: f64, one: T) -> impl Strategy<Value = Vec<T::Value>>
where
    T::Value: Clone,
{
    weighted(likely, one).prop_map(|one| one.into_iter().collect())
}

fn dependency() -> impl Strategy<Value = Dependency> {
    let text = prop_oneof![3 => capability(), 2 => rich()];
    text.prop_map(|text| Dependency::parse(&text).unwrap_or_else(|error| panic!("{error}")))
}

fn provided(operators: &'static [&'static str]) -> impl Strategy<Value = Capability> {
    const NAMES: &[&str] = &["a", "b", "c", "v", "w", "x(y)"];
    const VERSIONS: &[&str] = &["1", "2-1", "1:1-1", "1~rc-1"];
    (select(NAMES), select(operators), select(VERSIONS)).prop_map(|(name, operator, version)| {
        let text = if operator.is_empty() { name.to_owned() } else { format!("{name} {operator} {version}") };
        match Dependency::parse(&text) {
            Ok(Dependency::Capability(capability)) => capability,
            other => panic!("{text}: {other:?}"),
        }
    })
}

fn identity() -> impl Strategy<Value = (String, String, String)> {
    const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f"];
    const VERSIONS: &[&str] = &["1-1", "1-2", "2-1", "1:1-1", "2~rc-1", "1^p-1"];
    const ARCHS: &[&str] = &["x86_64", "x86_64", "x86_64", "noarch", "noarch", "aarch64"];
    (select(NAMES), select(VERSIONS), select(ARCHS))
        .prop_map(|(name, version, arch)| (name.to_owned(), version.to_owned(), arch.to_owned()))
}

fn content() -> impl Strategy<Value = PackageMetadata> {
    const FILES: [&str; 3] = ["/bin/x", "/opt/y", "/usr/share/z"];
    (
        vec(provided(&["", "", "=", "=", ">=", "<"]), 0..3),
        vec(dependency(), 0..3),
        perhaps(0.4, dependency()),
        perhaps(0.2, provided(&["", "=", "<", "<=", ">="])),
        vec(select(&FILES[..]), 0..2),
    )
        .prop_map(|(provides, requires, conflicts, obsoletes, files)| {
            let nowhere = Nevra { name: String::new(), evr: Evr::parse("0"), arch: String::new() };
            let files = files.into_iter().map(str::to_owned).collect();
            PackageMetadata { provides, requires, conflicts, obsoletes, files, ..PackageMetadata::new(nowhere) }
        })
}

fn packages() -> impl Strategy<Value = Vec<PackageMetadata>> {
    btree_map(identity(), content(), 4..14).prop_map(|packages| {
        let named = |((name, version, arch), mut content): ((String, String, String), PackageMetadata)| {
            content.nevra = Nevra { name, evr: Evr::parse(&version), arch };
            let own = Capability::exact(&*content.nevra.name, content.nevra.evr.clone());
            content.provides.push(own);
            content
        };
        packages.into_iter().map(named).collect()
    })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let refuses = perhaps(0.2, dependency());
    (vec(dependency(), 1..4), refuses).prop_map(|(needs, refuses)| Wanted { needs, refuses, without: Vec::new() })
}

/// What we install, as places in the list of packages.
fn ours(universe: &Universe, wanted: &Wanted) -> Result<Vec<usize>, String> {
    let located = |list: &[Dependency]| list.iter().map(|one| Located::new(one.clone(), None)).collect::<Vec<_>>();
    let index = Index::new(universe);
    let found = install_set(&index, &located(&wanted.needs), &located(&wanted.refuses), None, None);
    let place = |id: PackageId| match id {
        PackageId::Seed(place) => place,
        other => panic!("{other:?} is no seed's"),
    };
    match found {
        Ok(found) => Ok(found.into_iter().map(place).collect()),
        Err(explanation) => Err(explanation.to_string()),
    }
}

/// Compares two answers; `Err` where they differ in a way that has no name.
fn compare(
    packages: &[PackageMetadata],
    wanted: &Wanted,
    ours: &Result<Vec<usize>, String>,
    theirs: &Result<Vec<String>, String>,
) -> Result<Option<Difference>, String> {
    let wrong = |chosen: &[&PackageMetadata]| violations(chosen, &wanted.needs, &wanted.refuses, ARCH);
    if let Ok(places) = ours {
        let chosen: Vec<_> = places.iter().map(|place| &packages[*place]).collect();
        let wrong = wrong(&chosen);
        if !wrong.is_empty() {
            let names: Vec<_> = chosen.iter().map(|package| package.nevra.to_string()).collect();
            return Err(format!("our answer {names:?} is wrong: {wrong:?}"));
        }
    }
    match (ours, theirs) {
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => Ok(None),
        (Ok(places), Err(problem)) => {
            let names: Vec<_> = places.iter().map(|place| packages[*place].nevra.to_string()).collect();
            Err(format!("we install {names:?}, libsolv says {problem}"))
        }
        (Err(problem), Ok(names)) => {
            if let Some(right) = search(packages, &wanted.needs, &wanted.refuses, ARCH) {
                let names: Vec<_> = right.iter().map(|package| package.nevra.to_string()).collect();
                return Err(format!("{names:?} would do, but we say {problem}"));
            }
            let chosen = packages.iter().filter(|package| names.contains(&package.nevra.to_string()));
            let wrong = wrong(&chosen.collect::<Vec<_>>());
            match wrong.iter().all(|one| matches!(one, Violation::ConflictWithItself(_))) {
                true => Ok(Some(Difference::ConflictWithItself)),
                false => Err(format!("libsolv installs {names:?}, though {wrong:?}")),
            }
        }
    }
}

#[test]
fn random_universes_are_solved_as_by_libsolv() {
    let Some(libsolv) = Libsolv::start() else {
        skip("random_universes_are_solved_as_by_libsolv", "python3-solv is not installed");
        return;
    };
    let libsolv = std::cell::RefCell::new(libsolv);
    let counts = std::cell::RefCell::new([0usize; 3]);
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { UNIVERSES };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let tried = runner.run(&(packages(), vec(wanted(), 1..5)), |(packages, requests)| {
        let theirs = libsolv.borrow_mut().ask(&packages, &requests).found;
        let seeds = packages.iter().map(|one| SeedPackage { seed: "seed".to_owned(), metadata: one.clone() });
        let universe = Universe { seeds: seeds.collect(), arch: ARCH.to_owned(), ..Universe::default() };
        for (wanted, theirs) in requests.iter().zip(&theirs) {
            let ours = ours(&universe, wanted);
            let difference = compare(&packages, wanted, &ours, theirs).map_err(|why| {
                let shown: Vec<_> = packages.iter().map(shown).collect();
                let asked = |list: &[Dependency]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
                let (needs, refuses) = (asked(&wanted.needs), asked(&wanted.refuses));
                TestCaseError::fail(format!("{why}\nneeds {needs:?}\nrefuses {refuses:?}\n{}", shown.join("\n")))
            })?;
            let mut counts = counts.borrow_mut();
            counts[usize::from(ours.is_err())] += 1;
            counts[2] += usize::from(difference.is_some());
        }
        Ok(())
    });
    match tried {
        Ok(()) => {}
        // The universe is in the reason already.
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    // Universes in which all or nothing can be installed would show little.
    let [solved, unsolved, different] = counts.into_inner();
    assert!(solved > unsolved / 5 && unsolved > solved / 5, "{solved} solved, {unsolved} not");
    assert!(different * 50 < solved + unsolved, "{different} differ by name, {solved} are solved, {unsolved} not");
}

fn shown(package: &PackageMetadata) -> String {
    let mut text = package.nevra.to_string();
    let mut add = |tag: &str, list: Vec<String>| {
        list.iter().for_each(|one| text += &format!("\n    {tag}: {one}"));
    };
    add("Provides", package.provides.iter().map(ToString::to_string).collect());
    add("Requires", package.requires.iter().map(ToString::to_string).collect());
    add("Conflicts", package.conflicts.iter().map(ToString::to_string).collect());
    add("Obsoletes", package.obsoletes.iter().map(ToString::to_string).collect());
    add("File", package.files.clone());
    text
}
