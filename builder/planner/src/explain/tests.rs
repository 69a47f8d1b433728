//! What is said when needs cannot be met: one snapshot for every kind, in `snapshots/`.

use rpmspec_parser::rpm::Dependency;

use crate::testing::{seed, spec, universe};
use crate::{SeedPackage, TreePackage, resolve};

/// What blocks `the-spec`, whose `BuildRequires` and the like are the lines.
fn told(lines: &[&str], mut tree: Vec<TreePackage>, seeds: Vec<SeedPackage>) -> String {
    tree.push(spec("the-spec", lines));
    let graph = resolve(&universe(tree, seeds));
    let blocker = graph.nodes["the-spec"].blocker.as_ref();
    blocker.map_or_else(|| "it is not blocked".to_owned(), ToString::to_string)
}

fn from_seeds(lines: &[&str], seeds: &[(&str, &[&str])]) -> String {
    told(lines, Vec::new(), seeds.iter().map(|(nevr, lines)| seed(nevr, lines)).collect())
}

macro_rules! explained {
    ($($name:ident: $text:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!($text);
        })*
    };
}

explained! {
    nobody_offers_it: from_seeds(&["BuildRequires: zlib", "BuildRequires: nowhere >= 2"], &[("zlib", &[])]);
    the_name_is_misspelt: from_seeds(&["BuildRequires: zlib-devl"], &[("zlib-devel", &[]), ("zlib", &[]), ("bash", &[])]);
    a_soname_is_misspelt: from_seeds(
        &["BuildRequires: libzstd.so.2()(64bit)"],
        &[("zstd", &["Provides: libzstd.so.1()(64bit)"]), ("lib", &[]), ("std", &[]), ("lib64bit", &[])],
    );
    a_module_is_misspelt: from_seeds(
        &["BuildRequires: pkgconfig(zlb)", "BuildRequires: pkgconfig(expat)"],
        &[("zlib-devel", &["Provides: pkgconfig(zlib) = 1.3", "Provides: perl(zlb)"]), ("expat-devel", &[])],
    );
    a_file_is_elsewhere: from_seeds(&["BuildRequires: /usr/bin/ip"], &[("iproute", &["File: /usr/sbin/ip"])]);
    no_package_owns_the_file: from_seeds(&["BuildRequires: /usr/bin/nothing"], &[("a", &["File: /usr/bin/a"])]);
    only_for_another_architecture: from_seeds(&["BuildRequires: valgrind"], &[("valgrind 3-1", &["Arch: aarch64"])]);
    the_version_is_too_low: from_seeds(
        &["BuildRequires: meson >= 1.2"],
        &[("meson 1.0-1", &[]), ("meson 1.1-1", &[]), ("muon 1-1", &["Provides: meson = 0.9"])],
    );
    the_version_is_too_high: from_seeds(&["BuildRequires: cmake < 4"], &[("cmake 4.1-1", &[])]);
    an_epoch_decides: from_seeds(
        &["BuildRequires: perl >= 4:5.36", "BuildRequires: bind < 32:9"],
        &[("perl 5.38-1", &[]), ("bind 33:8.1-1", &[])],
    );
    only_itself_offers_it: told(&["BuildRequires: the-spec-tools", "Package: the-spec-tools"], Vec::new(), Vec::new());
    the_provider_lacks_something_three_steps_on: told(
        &["BuildRequires: app"],
        vec![spec("app", &["Requires: lib >= 1"]), spec("lib", &["Requires: plugin"])],
        vec![seed("plugin", &["Requires: nowhere"])],
    );
    every_provider_lacks_something: from_seeds(
        &["BuildRequires: editor"],
        &[("vi", &["Provides: editor", "Requires: termcap"]), ("ed", &["Provides: editor", "Requires: ed-libs = 2"]),
          ("ed-libs 1-1", &[])],
    );
    two_needs_conflict: from_seeds(
        &["BuildRequires: openssl", "BuildRequires: libressl"],
        &[("openssl", &[]), ("libressl", &["Requires: libressl-libs"]), ("libressl-libs", &["Conflicts: openssl < 4"])],
    );
    a_need_conflicts_with_the_base: told(
        &["BuildRequires: tcc"],
        vec![spec("tcc", &["Provides: cc", "Conflicts: gcc"])],
        Vec::new(),
    );
    two_needs_want_two_versions: from_seeds(
        &["BuildRequires: one", "BuildRequires: two"],
        &[("one", &["Requires: lib = 1"]), ("two", &["Requires: lib = 2"]), ("lib 1-1", &[]), ("lib 2-1", &[])],
    );
    it_is_obsoleted: told(
        &["BuildRequires: old-tool", "BuildRequires: suite"],
        vec![spec("suite", &["Requires: new-tool"]), spec("new-tool", &["Obsoletes: old-tool < 9"])],
        vec![seed("old-tool 1-1", &[])],
    );
    the_spec_refuses_what_it_needs: from_seeds(
        &["BuildRequires: tool", "BuildConflicts: helper"],
        &[("tool", &["Requires: helper"]), ("helper", &[])],
    );
    a_condition_of_the_base_asks_for_what_is_nowhere: from_seeds(&["BuildRequires: (gcc-plugins if gcc)"], &[("gcc-plugin", &[])]);
    no_alternative_is_there: from_seeds(
        &["BuildRequires: (mawk or nawk >= 2)"],
        &[("nawk 1-1", &[]), ("gawk", &[])],
    );
    no_package_has_both: from_seeds(
        &["BuildRequires: (python3dist(x) >= 1 with python3dist(x) < 2)", "BuildRequires: (feature without extra)"],
        &[("x1 1-1", &["Provides: python3dist(x) = 0.9"]), ("x2 2-1", &["Provides: python3dist(x) = 2.1"]),
          ("f", &["Provides: feature", "Provides: extra"])],
    );
    unless_the_base_has_it: from_seeds(&["BuildRequires: (clang unless gcc)"], &[("clang", &[])]);
    the_provider_is_not_for_this_architecture: told(
        &["BuildRequires: grub-efi"],
        vec![spec("grub", &["ExclusiveArch: aarch64", "Package: grub-efi"])],
        Vec::new(),
    );
    two_specs_build_the_provider: told(
        &["BuildRequires: lib"],
        vec![spec("lib", &[]), spec("lib-compat", &["Package: lib"])],
        Vec::new(),
    );
    it_means_too_much: from_seeds(
        &[&format!("BuildRequires: ({})", (0..12).map(|i| format!("(a{i} and b{i})")).collect::<Vec<_>>().join(" or "))],
        &[],
    );
    rpm_refuses_the_text: ["(a or b", "a >= ", "(a and b or c)", "a b"]
        .map(|text| Dependency::parse(text).map_or_else(|error| error.to_string(), |read| read.to_string()))
        .join("\n");
    a_cycle_has_no_way_out: told(
        &["BuildRequires: b"],
        vec![spec("b", &["BuildRequires: c"]), spec("c", &["Package: c-libs", "BuildRequires: the-spec"])],
        Vec::new(),
    );
}

#[test]
fn of_equal_providers_the_first_by_name_is_taken_and_the_others_are_told() {
    let mut universe = universe(Vec::new(), vec![seed("b", &["Provides: tool"]), seed("a", &["Provides: tool"])]);
    let wanted = crate::testing::dependency("tool");
    let told =
        |universe: &crate::Universe| crate::queries::what_provides(&crate::Index::new(universe), &wanted).to_string();
    let first = told(&universe);
    universe.prefer = vec!["b".to_owned()];
    insta::assert_snapshot!(format!("{first}with prefer = [\"b\"]:\n{}", told(&universe)));
}
