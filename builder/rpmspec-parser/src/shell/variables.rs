//! Names of variables, and which of them bash itself gives a meaning.

/// Variables whose value is the environment's, but which bash sets where the environment does not.
const INHERITED: [&str; 7] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TZ"];

/// Variables that bash computes, or acts on when they are set.
const BASHS: &[&str] = &[
    "_",
    "CDPATH",
    "CHILD_MAX",
    "COLUMNS",
    "COPROC",
    "DIRSTACK",
    "EMACS",
    "ENV",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GROUPS",
    "HOSTFILE",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "IGNOREEOF",
    "INPUTRC",
    "INSIDE_EMACS",
    "LANGUAGE",
    "LINENO",
    "LINES",
    "MACHTYPE",
    "MAPFILE",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHLVL",
    "SRANDOM",
    "TMOUT",
    "TMPDIR",
    "UID",
    "TEXTDOMAIN",
    "TEXTDOMAINDIR",
    "TIMEFORMAT",
    "auto_resume",
    "histchars",
    "ignoreeof",
];

/// The beginnings of more such names.
const FAMILIES: [&str; 11] =
    ["BASH", "COMP", "EPOCH", "HIST", "LC_", "MAIL", "PROMPT", "PS", "READLINE", "SHELLOPTS", "TERM"];

/// Whether a text can name a variable.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether bash gives a variable a value, or takes one from it.
fn is_bashs(name: &str) -> bool {
    BASHS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether a script may set a variable without any effect but its value.
pub(super) fn is_settable(name: &str) -> bool {
    !INHERITED.contains(&name) && !is_bashs(name)
}

/// The value of a variable that a script has not set, given the environment's; `None` where only bash knows it.
pub(super) fn inherited(name: &str, environment: Option<String>) -> Option<String> {
    let is_inherited = INHERITED.contains(&name);
    if is_bashs(name) && !is_inherited {
        return None;
    }
    match environment {
        Some(value) => value.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(value),
        None => (!is_inherited).then(String::new),
    }
}
