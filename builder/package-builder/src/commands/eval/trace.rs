//! Shows the steps of an expansion: each with its places, its body and what became of it.

use std::fmt::Write;

use rpmspec_parser::TraceStep;

/// The steps as text; those inside another are indented below it, and its result follows them.
pub(super) fn shown(steps: &[TraceStep]) -> String {
    let mut text = String::new();
    let mut open: Vec<&TraceStep> = Vec::new();
    for step in steps {
        while open.last().is_some_and(|last| last.depth >= step.depth) {
            result(&mut text, open.pop());
        }
        begin(&mut text, step);
        open.push(step);
    }
    while !open.is_empty() {
        result(&mut text, open.pop());
    }
    text
}

fn begin(text: &mut String, step: &TraceStep) {
    let indent = "  ".repeat(step.depth);
    let arguments: String = step.arguments.iter().map(|word| format!(" {word}")).collect();
    let used = step.used_at.as_ref().filter(|_| step.depth == 0);
    let used = used.map(|place| format!("{place}: ")).unwrap_or_default();
    let defined = match (&step.defined_at, &step.body) {
        (Some(place), _) => format!("defined at {place}"),
        (None, Some(_)) => "an argument or a tag".to_owned(),
        (None, None) => "built in".to_owned(),
    };
    let name = step.name.as_str();
    let called = format!("%{{{name}{}}}", arguments.trim_end());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", lines(&indent, "", &format!("{used}{called}  ({defined})")));
    if let Some(body) = step.body.as_ref().filter(|body| !body.is_empty()) {
        let _ = writeln!(text, "{}", lines(&indent, "| ", body));
    }
}

fn result(text: &mut String, step: Option<&TraceStep>) {
    if let Some(step) = step {
        let _ = writeln!(text, "{}", lines(&"  ".repeat(step.depth), "= ", &step.result));
    }
}

/// Every line with its indent and mark.
fn lines(indent: &str, mark: &str, text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| format!("{indent}{mark}{line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::Place;

    use super::*;

    #[test]
    fn results_follow_what_they_are_made_of() {
        let place = |line| Some(Place { file: "a.spec".into(), line, column: 3 });
        let step = |depth, name: &str, line, body: Option<&str>, result: &str| TraceStep {
            depth,
            name: name.to_owned(),
            arguments: Vec::new(),
            used_at: place(9),
            defined_at: line,
            body: body.map(str::to_owned),
            result: result.to_owned(),
        };
        let steps = [
            step(0, "a", place(1), Some("%b %{c:x}"), "1 2"),
            step(1, "b", place(2), Some("1"), "1"),
            step(1, "c", None, None, "2"),
        ];
        let expected = "a.spec:9:3: %{a}  (defined at a.spec:1:3)\n| %b %{c:x}\n  %{b}  (defined at a.spec:2:3)\n  | 1\n  = 1\n  \
                        %{c}  (built in)\n  = 2\n= 1 2\n";
        assert_eq!(shown(&steps), expected);
    }
}
