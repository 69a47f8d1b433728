//! Any text is an expression: it has a value or an error, the same each time.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Macros, Place, PreparedContext};

static CONTEXT: LazyLock<PreparedContext> = LazyLock::new(|| {
    let macros = "%a 1\n%b text\n%c() %{?1:%{1}}\n%d %{a}%{b}\n";
    PreparedContext::new(&MacroContext {
        files: vec![("macros".into(), macros.into())],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        ..MacroContext::default()
    })
});

fuzz_target!(|text: &str| {
    let place = Place { file: "fuzz".into(), line: 1, column: 1 };
    let [once, again] = [(); 2].map(|()| {
        let mut macros = Macros::prepared(&CONTEXT, &NoWorld);
        let all = (
            macros.expanded_condition(text, &place),
            macros.condition(text, &place),
            macros.expand(&format!("%[{text}]"), &place),
            macros.expand(&format!("%{{expr:{text}}}"), &place),
        );
        (all, macros.take_diagnostics())
    });
    assert_eq!(once, again);
});
