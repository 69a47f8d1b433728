//! How often a build root will be wanted again in this run.

use std::collections::BTreeSet;
use std::sync::Arc;

use planner::{JobId, Member};

use super::builds::Builds;
use crate::runner::prepare::{Prepared, RootRpm};

impl Builds<'_> {
    /// How many other builds that are still to come need all that the root of one has above the base, as far as the
    /// graph knows their roots by now.
    pub(super) fn alike(&self, id: &JobId, prepared: &Prepared) -> usize {
        let name_of = |rpm: &RootRpm| rpm.is.split(' ').next().map(str::to_owned);
        let wanted: BTreeSet<String> = prepared.install.iter().filter_map(name_of).collect();
        let nodes = self.planning.graph.nodes.iter();
        let open = nodes.filter(|(name, _)| **name != id.0 && self.queue.is_open(&JobId((*name).clone())));
        let needs_all = |root: &[Arc<Member>]| {
            root.len() >= wanted.len()
                && root.iter().filter(|member| wanted.contains(&member.nevra.to_string())).count() == wanted.len()
        };
        open.filter(|(_, node)| needs_all(&node.build_root)).count()
    }
}
