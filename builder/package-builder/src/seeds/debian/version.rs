//! Debian versions as RPM versions.
//!
//! Epoch, Debian revision and repacking suffixes are dropped, so that a package the tree builds from the
//! same upstream version (`zlib-1.2.13-1`) is newer than its seed (`zlib-1.2.13-0.seed`).

use rpmspec_parser::rpm::Relation;

/// The release of every converted package: lower than any a spec gives.
pub(super) const RELEASE: &str = "0.seed";

/// The RPM version of a Debian version: `2:6.2.1+dfsg1-1.1` is `6.2.1`.
pub(super) fn rpm_version(debian: &str) -> String {
    let without_epoch = debian.split_once(':').map_or(debian, |(_, rest)| rest);
    let upstream = without_epoch.rsplit_once('-').map_or(without_epoch, |(upstream, _)| upstream);
    // `-` separates version and release in RPM; `^` sorts after the bare version as Debian's `-` part does.
    without_repacking(upstream).replace('-', "^")
}

/// Cuts `+dfsg1`, `~ds`, `.dfsg.2` and the like off the end of an upstream version.
fn without_repacking(upstream: &str) -> &str {
    let stem = upstream.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    for word in ["dfsg", "ds"] {
        if let Some(rest) = stem.strip_suffix(word) {
            let separators = |c: char| matches!(c, '+' | '~' | '.' | '-');
            let version = rest.trim_end_matches(separators);
            if version.len() < rest.len() && !version.is_empty() {
                return version;
            }
        }
    }
    upstream
}

/// A Debian relation and version as RPM's. A strict bound on a version whose revision was dropped becomes
/// an inclusive one, since the revision may be what met it.
pub(super) fn rpm_relation(operator: &str, version: &str) -> Option<(Relation, String)> {
    let relation = match operator {
        "=" => Relation::Equal,
        ">=" | ">>" | ">" => Relation::GreaterOrEqual,
        "<=" | "<" => Relation::LessOrEqual,
        "<<" if version.contains('-') => Relation::LessOrEqual,
        "<<" => Relation::Less,
        _ => return None,
    };
    // `(>= 1.2-3~)` bounds a pre-release of a revision; `(>= 1.2~)` one of a version and keeps its tilde.
    Some((relation, rpm_version(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lose_what_only_debian_knows() {
        for (debian, rpm) in [
            ("2:6.2.1+dfsg1-1.1", "6.2.1"),
            ("1:1.2.13.dfsg-1", "1.2.13"),
            ("1.5.4+dfsg2-5", "1.5.4"),
            ("2.36-9+deb12u14", "2.36"),
            ("4:12.2.0-3", "12.2.0"),
            ("12.2.0-14+deb12u1", "12.2.0"),
            ("2.13+dfsg-1+deb12u1", "2.13"),
            ("1.0~ds1-2", "1.0"),
            ("5.2.15-2+b13", "5.2.15"),
            ("6.4+20240113-1~deb12u1", "6.4+20240113"),
            ("1.0-rc1-2", "1.0^rc1"),
            ("12.4+deb12u15", "12.4+deb12u15"),
            ("3.0~rc2-1", "3.0~rc2"),
            ("20190903-1", "20190903"),
            ("1.4.1.ds", "1.4.1"),
            ("0.9.kids", "0.9.kids"),
        ] {
            assert_eq!(rpm_version(debian), rpm, "{debian}");
        }
    }

    #[test]
    fn relations_never_get_stricter_than_the_dropped_parts_allow() {
        let relation = |operator, version| rpm_relation(operator, version).map(|(r, v)| format!("{r} {v}"));
        assert_eq!(relation("=", "2.36-9+deb12u14").as_deref(), Some("= 2.36"));
        assert_eq!(relation(">>", "1:1.2-3").as_deref(), Some(">= 1.2"));
        assert_eq!(relation(">=", "12.2.0-1~").as_deref(), Some(">= 12.2.0"));
        assert_eq!(relation("<<", "2.36-10").as_deref(), Some("<= 2.36"));
        assert_eq!(relation("<<", "3").as_deref(), Some("< 3"));
        assert_eq!(relation("!", "3"), None);
    }
}
