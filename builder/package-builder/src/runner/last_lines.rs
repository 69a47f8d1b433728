//! The end of a failed build's output, as much of it as views show.

/// So many lines.
const LINES: usize = 20;
/// So many characters of each.
const LONGEST: usize = 500;

/// The last lines, oldest first.
pub(super) fn last_lines(tail: &[String]) -> Vec<String> {
    let cut = |line: &String| match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.clone(),
    };
    tail[tail.len().saturating_sub(LINES)..].iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_no_line_is_endless() {
        let tail: Vec<String> = (0..30).map(|number| format!("{number} {}", "é".repeat(number * 40))).collect();
        let lines = last_lines(&tail);
        assert_eq!((lines.len(), &*lines[0]), (LINES, &*tail[10]));
        assert!(lines.iter().all(|line| line.chars().count() <= LONGEST + 1));
        assert!(lines[LINES - 1].ends_with('…'));
        assert_eq!(last_lines(&["a".to_owned()]), ["a"]);
    }
}
