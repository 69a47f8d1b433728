//! Names spelled like one that nobody offers.

use std::collections::BTreeSet;

use crate::Index;

/// At most this many names are suggested.
const MOST_NEAREST: usize = 3;
/// Names less alike than this (by Jaro and Winkler, 1 being equal) are not suggested.
const LEAST_ALIKE: f64 = 0.85;

/// What kind of thing a name stands for; only names of one kind are compared.
#[derive(PartialEq, Eq)]
enum Kind<'a> {
    Path,
    Soname,
    /// `pkgconfig(…)`, `perl(…)`, by what stands before the parenthesis.
    Module(&'a str),
    Plain,
}

fn kind(name: &str) -> Kind<'_> {
    match name.split_once('(') {
        _ if name.starts_with('/') => Kind::Path,
        _ if name.contains(".so") => Kind::Soname,
        Some((namespace, _)) if !namespace.is_empty() => Kind::Module(namespace),
        _ => Kind::Plain,
    }
}

/// The names spelled most like one, the nearest first; none where nothing comes near.
pub(crate) fn nearest_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let score = |other: &str| {
        let spelled = strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
        // `zlib1g-dev` for `zlib`: one inside the other is near too, unless it is a small part of it.
        let (short, long) = if name.len() < other.len() { (name, other) } else { (other, name) };
        let inside = short.len() > 2 && short.len() * 3 > long.len() && long.contains(short);
        if inside { spelled.max(0.9) } else { spelled }
    };
    let known = known.into_iter().filter(|other| *other != name && kind(other) == kind(name));
    let mut scored: Vec<(f64, &str)> = known.map(|other| (score(other), other)).collect();
    scored.retain(|(score, _)| *score > LEAST_ALIKE);
    scored.sort_by(|(left, a), (right, b)| right.total_cmp(left).then_with(|| a.cmp(b)));
    scored.dedup_by(|(_, a), (_, b)| a == b);
    scored.into_iter().take(MOST_NEAREST).map(|(_, name)| name.to_owned()).collect()
}

impl Index<'_> {
    /// Names like one that nobody offers: of a path, the same file elsewhere; of a module, else a package of its name.
    pub(crate) fn nearest(&self, name: &str) -> Vec<String> {
        if let Some((_, file)) = name.rsplit_once('/').filter(|_| name.starts_with('/')) {
            let files = self.packages.iter().flat_map(|package| &package.metadata.files);
            let same = files.filter(|path| path.rsplit('/').next() == Some(file) && *path != name);
            let same: BTreeSet<&String> = same.collect();
            return same.into_iter().take(MOST_NEAREST).cloned().collect();
        }
        let known = self.known_names();
        let nearest = nearest_names(name, known.iter().copied());
        match (kind(name), name.split_once('(')) {
            (Kind::Module(_), Some((_, module))) if nearest.is_empty() => {
                nearest_names(module.trim_end_matches(')'), known)
            }
            _ => nearest,
        }
    }
}
