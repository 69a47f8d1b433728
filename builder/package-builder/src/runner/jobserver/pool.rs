//! Who gets the tokens: the rules of the job server, without any pipe.
//!
//! As many processes as there are CPUs are to run. Each build has one by itself, which needs no token (GNU make's
//! protocol); the rest are tokens. A build *has* those that it was given, whether they lie in its pipe or are in use. It
//! is *hungry* if none lies there. What was given is all that counts: whatever a build writes to its pipe besides is
//! thrown away, and when it ends all it had is free again.

use std::collections::BTreeMap;

use planner::JobId;

/// The tokens of one build.
#[derive(Clone, Debug)]
struct Share {
    given: usize,
    /// The longer its remaining path, the more it gets.
    remaining: f64,
    /// Whether it ever took a token out of its pipe. A build that does not know of the job server never will.
    takes_part: bool,
    /// The turn in which it was given one to find that out.
    tried_at: Option<u64>,
    /// How many of those it was given lie in its pipe.
    idle: usize,
    /// How many it is given in this turn.
    promised: usize,
}

/// After how many turns a build that does not take part is given a token again, since it may have come to its `make`.
const TRY_AGAIN: u64 = 50;

/// What is to be done to the pipe of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Tokens to take out and throw away: it had not been given them.
    pub(super) forged: usize,
    /// Tokens to take back, as far as they are there.
    pub(super) take: usize,
    /// Tokens to put in.
    pub(super) give: usize,
}

/// All builds that run and their tokens.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    cpus: usize,
    builds: BTreeMap<JobId, Share>,
    turn: u64,
}

impl Pool {
    pub(super) fn new(cpus: usize) -> Self {
        Self { cpus, builds: BTreeMap::new(), turn: 0 }
    }

    /// A build begins, with nothing but the process it has by itself.
    pub(super) fn join(&mut self, id: &JobId, remaining: f64) {
        let remaining = if remaining.is_finite() { remaining.max(1.0) } else { 1.0 };
        let share = Share { given: 0, remaining, takes_part: false, tried_at: None, idle: 0, promised: 0 };
        self.builds.insert(id.clone(), share);
    }

    /// A build has ended.
    pub(super) fn leave(&mut self, id: &JobId) {
        self.builds.remove(id);
    }

    /// So many tokens of a build were taken back.
    pub(super) fn took(&mut self, id: &JobId, count: usize) {
        if let Some(share) = self.builds.get_mut(id) {
            share.given = share.given.saturating_sub(count);
        }
    }

    /// So many tokens were put into the pipe of a build.
    pub(super) fn gave(&mut self, id: &JobId, count: usize) {
        if let Some(share) = self.builds.get_mut(id) {
            share.given += count;
        }
    }

    /// Decides by what lies in the pipes now. Where something is to be taken that does not lie there, it is to be taken
    /// as soon as it does.
    pub(super) fn decide(&mut self, lying: &BTreeMap<JobId, usize>) -> BTreeMap<JobId, Change> {
        self.turn += 1;
        let mut changes: BTreeMap<JobId, Change> = BTreeMap::new();
        for (id, share) in &mut self.builds {
            let lying = lying.get(id).copied().unwrap_or(0);
            share.idle = lying.min(share.given);
            share.takes_part |= share.idle < share.given;
            changes.insert(id.clone(), Change { forged: lying - share.idle, ..Change::default() });
        }
        let tokens = self.cpus.saturating_sub(self.builds.len());
        let given: usize = self.builds.values().map(|share| share.given).sum();
        self.give(tokens.saturating_sub(given), &mut changes);
        self.take(given.saturating_sub(tokens), &mut changes);
        changes.retain(|_, change| *change != Change::default());
        changes
    }

    /// Gives what is free to those who are hungry, one by one to whoever has the least for its path.
    fn give(&mut self, free: usize, changes: &mut BTreeMap<JobId, Change>) {
        for _ in 0..free {
            let turn = self.turn;
            let hungry = self.builds.iter_mut().filter(|(_, share)| share.may_have_more());
            let order = |share: &Share| (!share.is_to_be_tried(turn), !share.takes_part);
            let next = hungry.min_by(|(_, a), (_, b)| order(a).cmp(&order(b)).then(a.next().total_cmp(&b.next())));
            let Some((id, share)) = next else { return };
            if !share.takes_part {
                share.tried_at = Some(turn);
            }
            share.promised += 1;
            changes.entry(id.clone()).or_default().give += 1;
        }
    }

    /// Takes back what there is too much, what lies idle while others would use it, and one from whoever has more than
    /// its part.
    fn take(&mut self, excess: usize, changes: &mut BTreeMap<JobId, Change>) {
        let turn = self.turn;
        let wants = |share: &&Share| share.is_hungry() && (share.takes_part || share.is_to_be_tried(turn));
        // What was promised just now is not there yet.
        let poorest = self.builds.values().filter(wants).map(Share::next).min_by(f64::total_cmp);
        let richest = self.builds.iter().max_by(|(_, a), (_, b)| a.part().total_cmp(&b.part()));
        let richest = richest.map(|(id, share)| (id.clone(), share.part()));
        for (id, share) in &mut self.builds {
            let change = changes.entry(id.clone()).or_default();
            // Who takes part keeps one to go on with.
            let spare = if share.takes_part { share.idle.saturating_sub(1) } else { share.idle };
            change.take = if poorest.is_some() && change.give == 0 { spare } else { 0 };
            let is_richest = richest.as_ref().is_some_and(|(richest, _)| richest == id);
            let has_too_much = richest.as_ref().is_some_and(|(_, part)| poorest.is_some_and(|next| next < *part));
            if is_richest && (has_too_much || excess > 0) && share.given > 0 {
                change.take = change.take.max(excess.max(1)).min(share.given);
            }
            share.promised = 0;
        }
    }
}

impl Share {
    fn is_hungry(&self) -> bool {
        self.idle == 0 && self.promised == 0
    }

    /// Whether it may be given another: all it was given is in use, or it was given none and may never take part.
    fn may_have_more(&self) -> bool {
        self.idle == 0 && (self.takes_part || self.given + self.promised == 0)
    }

    /// Whether it is to be found out if it takes part.
    fn is_to_be_tried(&self, turn: u64) -> bool {
        !self.takes_part && self.given == 0 && self.tried_at.is_none_or(|tried| turn >= tried + TRY_AGAIN)
    }

    /// What it has, for its remaining path.
    fn part(&self) -> f64 {
        (self.given + self.promised) as f64 / self.remaining
    }

    /// What it would have with one more.
    fn next(&self) -> f64 {
        (self.given + self.promised + 1) as f64 / self.remaining
    }
}

#[cfg(test)]
mod tests;
