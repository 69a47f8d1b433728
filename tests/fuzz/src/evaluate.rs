//! Any bytes are a spec: evaluation ends, does not panic, and says the same when asked again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpmspec_parser::spec::decode;
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, PreparedContext, Severity, evaluate_prepared};

const MACROS: &str = "%nil %{!?nil}\n\
    %_topdir /build\n\
    %_sourcedir %{_topdir}/SOURCES\n\
    %_builddir %{_topdir}/BUILD\n\
    %buildroot %{_topdir}/BUILDROOT/%{NAME}\n\
    %defined() %{expand:%%{?%{1}:1}%%{!?%{1}:0}}\n\
    %twice(a:b) %{-a*}%{-a*}%{-b:yes}%#%*%1\n\
    %in_lua() %{lua:print(#arg, rpm.expand('%{?1}'))}\n\
    %with() %{expand:%%{?with_%{1}:1}%%{!?with_%{1}:0}}\n\
    %bcond_with() %{expand:%%{?_with_%{1}:%%global with_%{1} 1}}\n\
    %__rpmuncompress /usr/lib/rpm/rpmuncompress\n";

static CONTEXT: LazyLock<PreparedContext> = LazyLock::new(|| {
    PreparedContext::new(&MacroContext {
        files: vec![("macros".into(), MACROS.into())],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        ..MacroContext::default()
    })
});

fuzz_target!(|bytes: &[u8]| {
    let text = decode(bytes);
    let options = Options { path: "/specs/a.spec".into() };
    let [once, again] = [(); 2].map(|()| evaluate_prepared(&text, &CONTEXT, &NoWorld, &options));
    assert_eq!(once.diagnostics, again.diagnostics);
    assert_eq!(format!("{:?}", once.package), format!("{:?}", again.package));
    let errors = once.diagnostics.iter().filter(|said| said.severity == Severity::Error);
    let placed = errors.clone().filter(|said| said.place.is_some()).count();
    assert_eq!(placed, errors.count(), "an error has no place: {:?}", once.diagnostics);
    assert!(once.package.is_some() || placed > 0, "there is no package, and nothing is said");
});
