//! rpmrc: the architectures and systems there are, which of them fit together, and their compiler flags.

use std::collections::{BTreeMap, HashSet};

/// What rpmrc files say.
#[derive(Clone, Debug, Default)]
pub(super) struct Rpmrc {
    optflags: BTreeMap<String, String>,
    arch_colors: BTreeMap<String, String>,
    arch: Table,
    os: Table,
    build_arch: Table,
    build_os: Table,
    /// What could not be read: the number of the file, the line, rpm's words.
    pub(super) problems: Vec<(usize, u32, String)>,
}

/// One kind of machine.
#[derive(Clone, Debug, Default)]
struct Table {
    /// Name to the names it is compatible with, the nearest first.
    compatible: BTreeMap<String, Vec<String>>,
    /// Name to its canonical name.
    canonical: BTreeMap<String, String>,
    /// Name to what is built on such a machine by default.
    translated: BTreeMap<String, String>,
}

impl Table {
    /// Returns the names that fit a machine and how far they are from it, from 1: nearest first.
    fn equivalents(&self, machine: &str) -> Vec<(String, u32)> {
        let mut found = vec![(machine.to_owned(), 1)];
        let mut visited = HashSet::new();
        // Depth first, as rpm walks: a name keeps the distance at which it was met first. An entry's own
        // names are met before theirs, so the stack holds iterators over entries that were met.
        let mut stack = vec![(machine, 2)];
        while let Some((name, distance)) = stack.pop() {
            let Some((name, names)) = self.compatible.get_key_value(name) else { continue };
            if !visited.insert(name) {
                continue;
            }
            for name in names {
                if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                    found.push((name.clone(), distance));
                }
            }
            stack.extend(names.iter().rev().map(|name| (name.as_str(), distance + 1)));
        }
        found
    }

    fn add(&mut self, what: &str, value: &str) -> Result<(), String> {
        let mut words = value.split([':', ' ', '\t']).filter(|word| !word.is_empty());
        match what {
            "compat" => {
                let (name, names) = value.split_once(':').ok_or("missing second ':'")?;
                let name = name.trim();
                if name.is_empty() {
                    return Err("missing architecture name".into());
                }
                let names = names.split_whitespace().map(str::to_owned).collect();
                self.compatible.insert(name.to_owned(), names);
            }
            "canon" => {
                let (Some(name), Some(short), Some(number)) = (words.next(), words.next(), words.next()) else {
                    return Err("Incomplete data line".into());
                };
                if words.next().is_some() {
                    return Err("Too many args in data line".into());
                }
                if number.parse::<u32>().is_err() {
                    return Err(format!("Bad arch/os number: {number}"));
                }
                self.canonical.insert(name.to_owned(), short.to_owned());
                self.canonical.insert(short.to_owned(), short.to_owned());
            }
            "translate" => {
                let (Some(name), Some(default)) = (words.next(), words.next()) else {
                    return Err("Incomplete default line".into());
                };
                if words.next().is_some() {
                    return Err("Too many args in default line".into());
                }
                self.translated.insert(name.to_owned(), default.to_owned());
            }
            _ => return Err(format!("bad option '{what}'")),
        }
        Ok(())
    }
}

impl Rpmrc {
    /// Reads rpmrc texts, later ones over earlier ones.
    pub(super) fn parse<S: AsRef<str>>(texts: &[S]) -> Self {
        let mut rpmrc = Self::default();
        for (file, text) in texts.iter().enumerate() {
            for (line, number) in text.as_ref().lines().zip(1..) {
                if let Err(problem) = rpmrc.read_line(line.trim_start()) {
                    rpmrc.problems.push((file, number, problem));
                }
            }
        }
        rpmrc
    }

    fn read_line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (key, value) = line.split_once(':').ok_or("missing ':'")?;
        let (key, value) = (key.trim_end(), value.trim_start());
        if key.contains(char::is_whitespace) {
            return Err("missing ':'".into());
        }
        match key.to_ascii_lowercase().as_str() {
            // Macro files and further rpmrc files are for the caller to name.
            "macrofiles" | "include" => return Ok(()),
            option @ ("optflags" | "archcolor") => {
                let (arch, value) =
                    value.split_once(char::is_whitespace).ok_or_else(|| format!("missing argument for {option}"))?;
                let table = if option == "optflags" { &mut self.optflags } else { &mut self.arch_colors };
                table.insert(arch.to_owned(), value.trim_start().to_owned());
                return Ok(());
            }
            _ => {}
        }
        let (table, what) = [
            ("arch", &mut self.arch),
            ("os", &mut self.os),
            ("buildarch", &mut self.build_arch),
            ("buildos", &mut self.build_os),
        ]
        .into_iter()
        .find_map(|(prefix, table)| Some((table, key.strip_prefix(prefix)?)))
        .ok_or_else(|| format!("bad option '{key}'"))?;
        table
            .add(what.strip_prefix('_').unwrap_or(what), value)
            .map_err(|problem| if problem.starts_with("bad option") { format!("bad option '{key}'") } else { problem })
    }

    /// The compiler flags of an architecture.
    pub(super) fn optflags(&self, arch: &str) -> Option<&str> {
        self.optflags.get(arch).map(String::as_str)
    }

    /// What is built by default on a machine of an architecture.
    pub(super) fn default_build_arch<'a>(&'a self, machine: &'a str) -> &'a str {
        self.build_arch.translated.get(machine).map_or(machine, String::as_str)
    }

    /// How far an architecture is from what a machine builds, from 1; 0 if it cannot be built there.
    pub(super) fn build_arch_score(&self, machine: &str, arch: &str) -> u32 {
        score(&self.build_arch.equivalents(machine), arch)
    }

    /// The same for operating systems, and for what can be installed.
    pub(super) fn build_os_score(&self, machine: &str, os: &str) -> u32 {
        score(&self.build_os.equivalents(machine), os)
    }

    /// How far an architecture is from what a machine runs, from 1; 0 if packages of it do not install.
    pub(super) fn install_arch_score(&self, machine: &str, arch: &str) -> u32 {
        score(&self.arch.equivalents(machine), arch)
    }

    /// Whether rpm knows an architecture.
    pub(super) fn is_known_arch(&self, arch: &str) -> bool {
        arch == "noarch" || self.arch.canonical.contains_key(arch)
    }

    /// The colour of an architecture: 1 for 32 bits, 2 for 64 bits.
    pub(super) fn arch_color(&self, arch: &str) -> Option<u32> {
        self.arch_colors.get(self.default_build_arch(arch))?.trim().parse().ok()
    }
}

fn score(equivalents: &[(String, u32)], name: &str) -> u32 {
    equivalents.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(0, |(_, score)| *score)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# comment\n\
        optflags: x86_64 -O2 -g\n\
        optflags: i686   -O2 -m32\n\
        archcolor: x86_64 2\n\
        arch_canon: x86_64: x86_64 1\n\
        buildarchtranslate: i686: i386\n\
        arch_compat: x86_64: amd64 athlon noarch\n\
        arch_compat: athlon: i686\n\
        arch_compat: i686: i586 noarch\n\
        buildarch_compat: x86_64: noarch\n";

    #[test]
    fn values_are_read() {
        let rpmrc = Rpmrc::parse(&[TEXT]);
        assert_eq!(rpmrc.problems, []);
        assert_eq!(rpmrc.optflags("i686"), Some("-O2 -m32"));
        assert_eq!(rpmrc.arch_color("x86_64"), Some(2));
        assert_eq!(rpmrc.default_build_arch("i686"), "i386");
        assert!(rpmrc.is_known_arch("noarch") && rpmrc.is_known_arch("x86_64") && !rpmrc.is_known_arch("z80"));
    }

    #[test]
    fn compatibility_is_followed() {
        let rpmrc = Rpmrc::parse(&[TEXT]);
        let scores = ["x86_64", "amd64", "athlon", "i686", "i586", "noarch", "aarch64"]
            .map(|arch| rpmrc.install_arch_score("x86_64", arch));
        assert_eq!(scores, [1, 2, 2, 3, 4, 2, 0]);
        assert_eq!(rpmrc.build_arch_score("x86_64", "noarch"), 2);
        assert_eq!(rpmrc.build_arch_score("x86_64", "i686"), 0);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let rpmrc = Rpmrc::parse(&["arch_canon: a: b\nnonsense\nfoo: bar\n"]);
        let words: Vec<&str> = rpmrc.problems.iter().map(|(_, _, words)| words.as_str()).collect();
        assert_eq!(words, ["Incomplete data line", "missing ':'", "bad option 'foo'"]);
    }
}
