//! The folders of a build: `%{buildroot}`, and since rpm 4.20 one for each package with all of its build in it.

use super::evaluator::{Evaluator, Step};
use super::sources::tidy_path;
use crate::Diagnostic;
use crate::macros::Level;

/// The folder of all builds, while `%{_builddir}` is that of one.
const TOP: &str = "_top_builddir";

impl Evaluator<'_, '_> {
    /// Keeps the folder of all builds before the spec is read: it has no `%{_builddir}` until its preamble is over.
    pub(super) fn set_aside_build_folder(&mut self) {
        if !self.macros.rpm().is_at_least(&[4, 20]) || self.macros.is_defined(TOP) {
            return;
        }
        let folder = self.expand("%{_builddir}");
        self.define_literal(TOP, &folder, Level::GLOBAL);
        while self.macros.is_defined("_builddir") {
            self.macros.undefine("_builddir");
        }
    }

    /// Sets the folders once the main package's tags are known.
    pub(super) fn set_build_folders(&mut self) -> Step<()> {
        let root = if self.macros.rpm().is_at_least(&[4, 20]) {
            // rpm has no tilde or caret in paths.
            let name = self.expand("%{NAME}-%{VERSION}-build").replace(['~', '^'], "_");
            let build = self.expand(&format!("%{{{TOP}}}/{name}"));
            self.define_literal("_builddir", &build, Level::SPEC);
            self.define_literal("builddir", &build, Level::SPEC);
            self.define_literal("specpartsdir", &tidy_path(&format!("{build}/SPECPARTS")), Level::SPEC);
            tidy_path(&format!("{build}/BUILDROOT"))
        } else {
            // Whatever the spec makes of it, it is what it was before, with the package's tags in it.
            tidy_path(&self.expand(&self.install_root.clone()))
        };
        let place = self.reader.place();
        if root.is_empty() {
            self.fail(Diagnostic::error("%{buildroot} couldn't be empty").at(&place))?;
        } else if root == "/" {
            self.fail(Diagnostic::error("%{buildroot} can not be \"/\"").at(&place))?;
        }
        if self.macros.rpm().is_at_least(&[4, 20]) {
            self.define_literal("buildroot", &root, Level::SPEC);
            self.macros.define("_buildrootdir", None, "%{dirname:%{buildroot}}", Level::GLOBAL, Some(&place));
        } else {
            self.define("buildroot", &root);
        }
        Ok(())
    }

    fn define_literal(&mut self, name: &str, body: &str, level: Level) {
        let place = self.reader.place();
        self.macros.define_literal(name, body, level, Some(&place));
    }
}
