//! Any text is a dependency or an error; a dependency that is written and read again is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rpmspec_parser::rpm::Dependency;

fuzz_target!(|text: &str| {
    if let Ok(dependency) = Dependency::parse(text) {
        let written = dependency.to_string();
        assert_eq!(Dependency::parse(&written).as_ref(), Ok(&dependency), "{text} is written as {written}");
        let capabilities = dependency.capabilities();
        for (left, right) in capabilities.iter().zip(capabilities.iter().rev()) {
            assert_eq!(left.overlaps(right), right.overlaps(left), "{left} and {right}");
        }
    }
});
