//! What is answered without a shell is what bash writes, for the commands of specs and for any others.

#![expect(clippy::disallowed_methods, reason = "answers are compared with bash's")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

mod support;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rpmspec_parser::shell::answer;
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Macros, Place, PreparedContext, World};

const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", "/usr/bin:/bin"),
    ("HOME", "/build"),
    ("LANG", "C.UTF-8"),
    ("SPACED", " a  b "),
    ("VERSION", "1.22.333-rc1"),
    ("EMPTY", ""),
];

/// A world with that environment and nothing else.
struct Plain;

impl World for Plain {
    fn read_file(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn exists(&self, _path: &Path) -> bool {
        false
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, _command: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn plain_commands(&self) -> bool {
        true
    }

    fn environment(&self, name: &str) -> Option<String> {
        ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn now(&self) -> i64 {
        0
    }

    fn processor_count(&self) -> usize {
        bash("nproc").trim().parse().unwrap()
    }
}

fn bash(command: &str) -> String {
    let output = Command::new("/bin/bash")
        .args(["-c", command])
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn bash_is_here() -> bool {
    let here = Path::new("/bin/bash").exists();
    if !here {
        assert!(std::env::var_os("CI").is_none(), "SKIPPED: there is no /bin/bash");
        support::report("SKIPPED: there is no /bin/bash");
    }
    here
}

fn ours(command: &str) -> Option<String> {
    answer(command, &Plain).map(|answer| String::from_utf8(answer).unwrap())
}

/// The RPM_BUILD_NCPUS snippet of rpm's macros, in another's words.
const PROCESSORS: &str = "[ -z \"$CPUS\" ] \\\n\t&& CPUS=\"8\"; \\\n  most=; \\\n  \
    if [ -n \"$most\" ] && [ \"$most\" -gt 0 ] && [ \"$CPUS\" -gt \"$most\" ]; then CPUS=\"$most\"; fi; \\\n echo \"$CPUS\";";

const ANSWERED: &[(&str, &str)] = &[
    (PROCESSORS, "8\n"),
    ("opts=-s; echo ${opts#-}", "s\n"),
    ("test %{python3_pkgversion} == 3 || echo -3.11", "-3.11\n"),
    ("test a == a && echo b || echo c | sed 's/c/d/'", "b\n"),
    ("test a == b && echo b || echo a/c-d | sed 's/c-d/e/'", "a/e\n"),
    ("echo   a 'b  c' \"d\\\"  e\"\tf", "a b  c d\"  e f\n"),
    ("echo -n a", "a"),
    ("echo -x -- $UNKNOWN", "-x --\n"),
    ("printf '%s-%s\\n' a b c", "a-b\nc-\n"),
    ("printf plain", "plain"),
    ("V=$VERSION; echo ${V%.*} ${V%%.*} ${V#*.} ${V##*.} ${#V}", "1.22 1 22.333-rc1 333-rc1 12\n"),
    ("echo ${VERSION//./_} ${VERSION/-rc/}", "1_22_333-rc1 1.22.3331\n"),
    ("echo ${EMPTY:-a} ${EMPTY-b} ${UNKNOWN-c} ${VERSION:+d} ${EMPTY:+e}", "a c d\n"),
    ("echo $SPACED. \"$SPACED\".", "a b .  a  b .\n"),
    ("echo $VERSION | cut -d. -f1,2", "1.22\n"),
    ("echo $VERSION | cut -d - -f 2", "rc1\n"),
    ("echo $VERSION | tr . _ | tr -d '\\n'", "1_22_333-rc1"),
    ("echo $VERSION | tr a-z A-Z", "1.22.333-RC1\n"),
    ("echo $VERSION | sed 's/\\.//g'", "122333-rc1\n"),
    ("printf 'a\\nb\\n' | head -n1; printf 'a\\nb' | tail -n 1", "a\nb"),
    ("echo $((1 + 2 * (7 - 3) / 3 % 5))", "3\n"),
    ("if false; then echo a; elif ! test 2 -gt 1; then echo b; else echo c; fi", "c\n"),
    ("if [ ! -n \"$EMPTY\" ]\nthen\necho a\nfi", "a\n"),
    ("x=$(echo a; false) || echo $x$(echo b)", "ab\n"),
    ("echo a 2>/dev/null; :", "a\n"),
    ("true && false || ! false", ""),
    ("x=1; x=2 | true; echo $x", "1\n"),
    ("false && gcc --version; echo none", "none\n"),
];

/// What only a shell can answer, or what is too seldom asked.
const LEFT: &[&str] = &[
    "",
    "gcc --version",
    "echo a | openssl sha1 | cut -d' ' -f2",
    "eval \"`perl -V:installprivlib`\"; echo $installprivlib",
    "IFS=: R=($(gem env gempath)); echo ${R[0]}",
    "! make --version -O >/dev/null 2>&1 || echo -O",
    "echo *",
    "echo ~",
    "echo {a,b}",
    "echo {1..3}",
    "echo [a]",
    "echo $PWD",
    "echo $RANDOM",
    "echo $?",
    "echo $1",
    "echo -e 'a\\n'",
    "echo `echo a`",
    "echo a > /tmp/x",
    "echo a & echo b",
    "echo a # remark",
    "(echo a)",
    "cut -d. -f1",
    "echo a.b | sed 's/./x/'",
    "test -f /etc/passwd && echo a",
    "[ a -gt 0 ] || echo a",
    "[ -z a",
    "while true; do :; done",
    "x='*'; echo $x",
    "HOME=/; echo $HOME",
    "PATH=/x; echo a | cut -f1",
    "VERSION=2 echo $VERSION",
    "echo $((010))",
    "echo $((1/0))",
    "echo é",
    "echo a\0b",
    "if true; then fi",
    "echo a &&",
    "echo 'a",
    "echo $(echo a",
];

#[test]
fn plain_commands_are_answered_as_bash_does() {
    if !bash_is_here() {
        return;
    }
    for (command, expected) in ANSWERED {
        assert_eq!(bash(command), *expected, "bash: {command}");
        assert_eq!(ours(command).as_deref(), Some(*expected), "{command}");
    }
}

#[test]
fn what_is_not_understood_is_left_to_a_shell() {
    for command in LEFT {
        assert_eq!(ours(command), None, "{command}");
    }
    // Neither takes long, nor much memory, nor the stack.
    let doubled = format!("x=aaaaaaaaaaaaaaaa; {}echo $x", "x=$x$x; ".repeat(40));
    let deep = format!("{}{}", "$(".repeat(5000), ")".repeat(5000));
    let nested = format!("echo $(({}1{}))", "(".repeat(5000), ")".repeat(5000));
    for command in [doubled, deep, nested, "if ".repeat(5000), "echo ".repeat(50_000)] {
        assert_eq!(ours(&command), None);
    }
}

#[test]
fn macros_ask_no_shell_for_plain_commands() {
    let context = PreparedContext::new(&MacroContext::default());
    let place = Place { file: "x".into(), line: 1, column: 1 };
    for (text, expected) in [
        ("%(echo ${VERSION%%%%-*})", Some("1.22.333")),
        ("%(gcc --version)", None),
        // What Lua has set, the world does not know.
        ("%{lua:posix.setenv('VERSION', '2')}%(echo $VERSION)", None),
    ] {
        let expanded = Macros::prepared(&context, &Plain).expand(text, &place);
        assert_eq!(expanded.as_deref().ok(), expected, "{text}");
    }
    let refused = Macros::prepared(&context, &NoWorld).expand("%(echo a)", &place);
    assert!(refused.is_err(), "a world that does not say so has no plain commands");
}

#[test]
fn recorded_answers_of_a_distribution_agree() {
    let Some(folder) = support::corpus("the shell commands of Photon's specs") else { return };
    for name in ["shell-answers-photon.json", "shell-answers-photon-aarch64.json", "shell-answers-photon-check.json"] {
        let recorded: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let mut runs = 0;
        for asked in recorded.as_array().unwrap() {
            let command = asked["cmd"].as_str().unwrap();
            // How many processors the machine of the recording had is not known.
            if let Some(answer) = ours(command).filter(|_| !command.contains("nproc")) {
                assert_eq!(asked["out"].as_str(), Some(&*answer), "{command}");
                runs += asked["runs"].as_u64().unwrap();
            }
        }
        assert!(runs > 1150, "{name}: only {runs} runs need no shell");
    }
}

/// Pieces that commands are made of; near misses too.
const PIECES: &[&str] = &[
    "echo",
    "echo -n",
    "printf",
    "printf '%s,'",
    "test",
    "[",
    "]",
    "true",
    "false",
    ":",
    "!",
    "if",
    "then",
    "elif",
    "else",
    "fi",
    ";",
    ";",
    "&&",
    "||",
    "|",
    "\n",
    "a",
    "b",
    "'a b'",
    "\"a  $x\"",
    "\"\"",
    "''",
    "x=1",
    "x=",
    "y=$x",
    "x=\"$VERSION\"",
    "y='p  q'",
    "$x",
    "$y",
    "\"$y\"",
    "$SPACED",
    "\"$SPACED\"",
    "$VERSION",
    "${VERSION%.*}",
    "${VERSION##*.}",
    "${VERSION#1?}",
    "${VERSION%%-*}",
    "${VERSION/./}",
    "${x:-d}",
    "${x+e}",
    "${#VERSION}",
    "${x}y",
    "a$SPACED\"b\"",
    "\"\"$SPACED",
    "$EMPTY",
    "$EMPTY$EMPTY",
    "\"$EMPTY\"",
    "$UNKNOWN",
    "=",
    "==",
    "!=",
    "-z",
    "-n",
    "-eq",
    "-ne",
    "-gt",
    "-ge",
    "-lt",
    "-le",
    "-1",
    "0",
    "10",
    "7",
    "$((1+2))",
    "$(( 3 * (4 - 5) ))",
    "$((x))",
    "$((-7/2))",
    "$((7%-4))",
    "$(echo a)",
    "\"$(echo 'a  b')\"",
    "$(printf 'a\\nb\\n')",
    "$(false)",
    "$(true; echo $x)",
    "cut -d. -f1",
    "cut -d . -f 2-",
    "cut -f1",
    "cut -d' ' -f1,3",
    "cut -d a -f 2",
    "tr a b",
    "tr . _",
    "tr -d a",
    "tr -d '\\n'",
    "tr a-z A-Z",
    "tr ab-",
    "tr 'ab' '-'",
    "tr '[:lower:]' '[:upper:]'",
    "sed s/a/b/",
    "sed 's/a/x y/g'",
    "sed s,1\\.,,",
    "sed 's/\\./-/g'",
    "head -n1",
    "head -1",
    "tail -n 1",
    "tail -1",
    "2>/dev/null",
    "\\\n",
    "\\",
    "\\a",
    "\\$x",
    "{",
    "}",
    "{x}",
    "-",
    "--",
    "#",
    "$",
    "%s",
    "'%s\\n'",
    "\"\\$x \\a \\\\\"",
    "(",
    ")",
    ">",
    "*",
    "[a]",
    "~",
    "in",
    "do",
    "$PWD",
    "time",
    "-a",
    "a.b.c",
    "a=b",
    "if true; then",
    "if [ \"$x\" = 1 ]; then",
    "; fi",
    "; else",
];

fn agrees(command: &str) -> bool {
    let Some(ours) = ours(command) else { return false };
    assert_eq!(ours, bash(command), "{command:?}");
    true
}

/// A command that is mostly understood.
fn sensible() -> impl Strategy<Value = String> {
    let word = || {
        prop::sample::select(vec![
            "a",
            "'b  c'",
            "\"$x\"",
            "$x",
            "${x#a}",
            "${VERSION%%.*}",
            "$SPACED",
            "\"$SPACED\"",
            "$EMPTY",
            "\"\"",
            "-n",
            "-z",
            "=",
            "!",
            "$((2*3))",
            "$(echo a b)",
            "\"$(printf 'p\\nq')\"",
            "7",
            "-3",
            "${VERSION//./,}",
            "$UNKNOWN",
            "${UNKNOWN:-z}",
            "a.b-c",
            "\\$a",
            "x\\ y",
            "{x}",
            "%",
            "a=b",
            "$y",
            "]",
            "then",
            "\"$((1-2))\"",
            "''$SPACED",
        ])
    };
    let words = prop::collection::vec(word(), 0..4).prop_map(|words| words.join(" "));
    let pair = (word(), prop::sample::select(vec!["=", "==", "!=", "-eq", "-lt", "-ge"]), word());
    let asked =
        (prop::sample::select(vec!["test", "test !", "[", "[ !"]), pair).prop_map(|(test, (a, operator, b))| {
            format!("{test} {a} {operator} {b}{}", if test.starts_with('[') { " ]" } else { "" })
        });
    let filter = prop::sample::select(vec![
        "cut -d. -f1",
        "cut -d ' ' -f 2-3",
        "cut -f 1",
        "tr a b",
        "tr ' ' '\\n'",
        "tr -d ab",
        "tr a-z A-Z",
        "sed s/a/b/g",
        "sed 's,\\.,_,'",
        "head -n1",
        "tail -1",
        "true",
        "echo z",
        "cat",
    ]);
    let simple = prop_oneof![
        4 => words.clone().prop_map(|words| format!("echo {words}")),
        1 => words.clone().prop_map(|words| format!("echo -n {words}")),
        1 => words.prop_map(|words| format!("printf '%s|' {words}")),
        2 => (prop::sample::select(vec!["x", "y"]), word()).prop_map(|(name, value)| format!("{name}={value}")),
        2 => asked,
        1 => prop::sample::select(vec!["true", "false", ":", "! true", "[ -n \"$x\" ]", "test"]).prop_map(str::to_owned),
    ];
    let piped = (simple, prop::collection::vec(filter, 0..3))
        .prop_map(|(command, filters)| filters.iter().fold(command, |command, filter| format!("{command} | {filter}")));
    let joint = || prop::sample::select(vec![" && ", " || ", "; ", "\n", " \\\n && ", " ||\n"]);
    let list = prop::collection::vec((piped, joint()), 1..5).prop_map(|parts| {
        let mut text: String = parts.iter().map(|(command, joint)| format!("{command}{joint}")).collect();
        text.push(':');
        text
    });
    prop_oneof![
        3 => list.clone(),
        1 => (list.clone(), list.clone(), list.clone())
            .prop_map(|(a, b, c)| format!("if {a}; then {b}; else {c}; fi; echo \"$x,$y\"")),
        1 => list.prop_map(|list| format!("x=$({list}) && echo \"$x\" || echo $x; echo \"$y\"")),
    ]
}

#[test]
fn any_command_is_answered_as_bash_does_or_not_at_all() {
    if !bash_is_here() {
        return;
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::default());
    let understood = std::cell::Cell::new(0_u32);
    let pieces =
        prop::collection::vec((prop::sample::select(PIECES), prop::sample::select(vec![" ", " ", " ", ""])), 0..14)
            .prop_map(|pieces| pieces.iter().map(|(piece, blank)| format!("{piece}{blank}")).collect::<String>());
    runner
        .run(&prop_oneof![sensible(), pieces], |command| {
            understood.set(understood.get() + u32::from(agrees(&command)));
            Ok(())
        })
        .unwrap();
    assert!(understood.get() > 30, "only {} commands were understood", understood.get());
}
