//! Looking for an order: operations that overlap in time, one key's worth of them, against a model of that key.
//!
//! The search itself (Wing and Gong, with memory, after Lowe, and Horn and Kroening) is `todc_utils`'s. What is done
//! here: the operations of a key are cut where the state is known for certain, which keeps each search short; the work
//! is bounded, and what exceeds the bound is undecided, not ok; and where there is no order, the first answer without
//! one is looked for, so that a reader is shown a few operations and not a thousand.
//!
//! Every task given here has an answer, and by that a definite effect. What to do about operations of unknown outcome
//! is decided before (see `orphans`).

use std::cell::Cell;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::rc::Rc;

use todc_utils::specifications::Specification;
use todc_utils::{Action, History, WGLChecker};

/// Steps of the model that a search between two cuts may take.
pub(super) const STEPS_MAX: u64 = 200_000;
/// Bytes that its memory may grow to: two flags for each operation at each step.
const MEMORY_MAX: u64 = 256 << 20;

/// One key as it should be.
pub(super) trait Model: Debug {
    /// What the key holds; the default is the state before the first operation.
    type State: Clone + Eq + Hash + Debug + Default;
    /// What an operation did to it, as it was answered.
    type Op: Debug;

    /// The state after an operation; `None` where it cannot have been answered so.
    fn step(state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// The state after an operation that overlapped no other, where it follows from the operation and from what was
    /// given before.
    fn settled(op: &Self::Op, given: u64) -> Option<Self::State>;

    /// The greatest generation that the operation gives; 0 where it gives none.
    fn gives(op: &Self::Op) -> u64;
}

/// An operation with the lines between which it took effect.
#[derive(Debug)]
pub(super) struct Task<M: Model> {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Its interval is not its own: it has the lines of others at its ends, and may come first there or last.
    pub(super) is_inferred: bool,
    /// Where the operation stands among all; `None` for what was inferred.
    pub(super) operation: Option<usize>,
    pub(super) op: Rc<M::Op>,
}

/// What came of a search.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Searched {
    pub(super) end: End,
    /// Steps of the model that were tried.
    pub(super) steps: u64,
    /// Searches that the key was cut into.
    pub(super) searches: usize,
}

/// How a search ended. The numbers are places among the tasks as they are sorted then.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is an order.
    Fits,
    /// There is none: the first answer that fits into none, and what came before it since the last cut.
    Contradiction { culprit: usize, since: usize },
    /// It was given up between these.
    Undecided { first: usize, last: usize },
}

/// Looks for an order of a key's tasks, and sorts them.
pub(super) fn search<M: Model>(tasks: &mut [Task<M>]) -> Searched {
    search_within(tasks, STEPS_MAX)
}

fn search_within<M: Model>(tasks: &mut [Task<M>], steps_max: u64) -> Searched {
    tasks.sort_by_key(Task::begins);
    let mut searched = Searched {
        end: End::Fits,
        steps: 0,
        searches: 0,
    };
    for (range, state) in cuts(tasks) {
        let stretch = &tasks[range.clone()];
        let bound = steps_max.min(MEMORY_MAX / (4 * wide(stretch.len() + 2)));
        let (fits, steps) = attempt::<M>(&state, stretch, stretch.len(), bound);
        searched.steps += steps;
        searched.searches += 1;
        searched.end = match fits {
            Fits::Yes => continue,
            Fits::GivenUp => End::Undecided {
                first: range.start,
                last: range.end - 1,
            },
            Fits::No => End::Contradiction {
                culprit: range.start + culprit::<M>(&state, stretch, bound),
                since: range.start,
            },
        };
        return searched;
    }
    searched
}

/// The stretches between the operations behind which the state is certain, each with the state before it.
fn cuts<M: Model>(tasks: &[Task<M>]) -> Vec<(std::ops::Range<usize>, M::State)> {
    let mut stretches = Vec::new();
    let (mut start, mut state) = (0, M::State::default());
    let mut before_ends = (0, 0);
    let mut given = 0;
    for (place, task) in tasks.iter().enumerate() {
        given = given.max(M::gives(&task.op));
        let next = tasks.get(place + 1);
        let is_alone =
            before_ends < task.begins() && next.is_none_or(|next| task.ends() < next.begins());
        before_ends = before_ends.max(task.ends());
        if !is_alone || next.is_none() {
            continue;
        }
        if let Some(settled) = M::settled(&task.op, given) {
            stretches.push((start..place + 1, std::mem::replace(&mut state, settled)));
            start = place + 1;
        }
    }
    if start < tasks.len() {
        stretches.push((start..tasks.len(), state));
    }
    stretches
}

enum Fits {
    Yes,
    No,
    GivenUp,
}

/// Looks for an order of the `answered` tasks that are answered first. Those that began meanwhile may be part of it or
/// not; those that began later are left out.
fn attempt<M: Model>(
    state: &M::State,
    tasks: &[Task<M>],
    answered: usize,
    bound: u64,
) -> (Fits, u64) {
    let left = Rc::new(Cell::new(bound));
    let entry = |kind: Kind<M>| Entry::<M> {
        kind: Rc::new(kind),
        left: Rc::clone(&left),
    };
    let mut ends: Vec<(usize, u8)> = tasks.iter().map(Task::ends).collect();
    ends.sort_unstable();
    let last = ends[answered - 1];
    // Process numbers are places of tasks, moved by two: that of the beginning and that of the end.
    let begin = entry(Kind::Begin(state.clone()));
    let over = entry(Kind::Over);
    let mut actions = Vec::new();
    let mut open = Vec::new();
    for (place, task) in tasks.iter().enumerate() {
        if task.begins() > last {
            continue;
        }
        let work = entry(Kind::Do(Rc::clone(&task.op)));
        actions.push((task.begins(), place + 2, Action::Call(work.clone())));
        if task.ends() <= last {
            actions.push((task.ends(), place + 2, Action::Response(work)));
        } else {
            open.push((place + 2, Action::Response(work)));
        }
    }
    actions.sort_by_key(|(at, ..)| *at);
    let whole = [
        vec![
            (0, Action::Call(begin.clone())),
            (0, Action::Response(begin)),
        ],
        actions
            .into_iter()
            .map(|(_, process, action)| (process, action))
            .collect(),
        vec![(1, Action::Call(over.clone())), (1, Action::Response(over))],
        open,
    ];
    let fits = WGLChecker::<Spec<M>>::is_linearizable(History::from_actions(whole.concat()));
    let steps = bound - left.get();
    let end = match (fits, left.get()) {
        (true, _) => Fits::Yes,
        (false, 0) => Fits::GivenUp,
        (false, _) => Fits::No,
    };
    (end, steps)
}

/// The task whose answer is the first that fits into no order: where so many answers fit, fewer do, too.
fn culprit<M: Model>(state: &M::State, tasks: &[Task<M>], bound: u64) -> usize {
    let (mut fits, mut fails) = (0, tasks.len());
    while fails - fits > 1 {
        let middle = usize::midpoint(fits, fails);
        match attempt::<M>(state, tasks, middle, bound).0 {
            Fits::Yes => fits = middle,
            Fits::No | Fits::GivenUp => fails = middle,
        }
    }
    let mut by_end: Vec<usize> = (0..tasks.len()).collect();
    by_end.sort_by_key(|place| tasks[*place].ends());
    by_end[fails - 1]
}

impl<M: Model> Task<M> {
    fn begins(&self) -> (usize, u8) {
        (self.from, u8::from(!self.is_inferred))
    }

    fn ends(&self) -> (usize, u8) {
        (self.to, 1 + u8::from(self.is_inferred))
    }
}

/// What the checker is given for one operation.
#[derive(Debug)]
struct Entry<M: Model> {
    kind: Rc<Kind<M>>,
    /// Steps that are left to all of the search.
    left: Rc<Cell<u64>>,
}

#[derive(Debug)]
enum Kind<M: Model> {
    /// The state at the last cut.
    Begin(M::State),
    Do(Rc<M::Op>),
    /// From here on, what is still under way need not be done.
    Over,
}

impl<M: Model> Clone for Entry<M> {
    fn clone(&self) -> Self {
        Self {
            kind: Rc::clone(&self.kind),
            left: Rc::clone(&self.left),
        }
    }
}

struct Spec<M>(PhantomData<M>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Progress<S> {
    state: S,
    is_over: bool,
}

impl<M: Model> Specification for Spec<M> {
    type State = Progress<M::State>;
    type Operation = Entry<M>;

    fn init() -> Self::State {
        Progress {
            state: M::State::default(),
            is_over: false,
        }
    }

    fn apply(entry: &Self::Operation, before: &Self::State) -> (bool, Self::State) {
        // Without steps nothing fits any more, and the search runs out.
        let Some(left) = entry.left.get().checked_sub(1) else {
            return (false, before.clone());
        };
        entry.left.set(left);
        let after = match &*entry.kind {
            Kind::Begin(state) => Some(Progress {
                state: state.clone(),
                is_over: false,
            }),
            Kind::Over => Some(Progress {
                state: before.state.clone(),
                is_over: true,
            }),
            Kind::Do(_) if before.is_over => Some(before.clone()),
            Kind::Do(op) => M::step(&before.state, op).map(|state| Progress {
                state,
                is_over: false,
            }),
        };
        let is_possible = after.is_some();
        (is_possible, after.unwrap_or_else(|| before.clone()))
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register: what is written is read.
    #[derive(Debug)]
    struct Register;

    #[derive(Debug)]
    enum Op {
        Write(u64),
        Read(u64),
    }

    impl Model for Register {
        type State = u64;
        type Op = Op;

        fn step(state: &u64, op: &Op) -> Option<u64> {
            match op {
                Op::Write(value) => Some(*value),
                Op::Read(value) => (value == state).then_some(*state),
            }
        }

        fn settled(op: &Op, _: u64) -> Option<u64> {
            match op {
                Op::Write(value) | Op::Read(value) => Some(*value),
            }
        }

        fn gives(_: &Op) -> u64 {
            0
        }
    }

    fn task(from: usize, to: usize, op: Op) -> Task<Register> {
        Task {
            from,
            to,
            is_inferred: false,
            operation: None,
            op: Rc::new(op),
        }
    }

    #[test]
    fn an_order_is_found_where_there_is_one() {
        let mut tasks = vec![
            task(1, 9, Op::Write(1)),
            task(2, 8, Op::Write(2)),
            task(3, 4, Op::Read(2)),
            task(5, 6, Op::Read(1)),
            task(10, 11, Op::Read(1)),
            task(12, 13, Op::Write(3)),
        ];
        let searched = search(&mut tasks);
        assert_eq!(searched.end, End::Fits);
        assert_eq!(searched.searches, 2, "the last read stands alone: a cut");
    }

    #[test]
    fn the_first_answer_without_an_order_is_named() {
        let mut tasks = vec![
            task(1, 2, Op::Write(1)),
            task(3, 20, Op::Write(2)),
            task(4, 5, Op::Read(2)),
            task(6, 7, Op::Read(1)),
            task(8, 9, Op::Read(3)),
        ];
        let searched = search(&mut tasks);
        assert_eq!(
            searched.end,
            End::Contradiction {
                culprit: 3,
                since: 1
            }
        );
    }

    #[test]
    fn what_is_under_way_may_have_been_done_or_not() {
        // The culprit is the read of 9; the write of 2 is under way then, and was read.
        let mut tasks = vec![
            task(1, 20, Op::Write(2)),
            task(2, 21, Op::Write(5)),
            task(3, 4, Op::Read(2)),
            task(5, 6, Op::Read(9)),
        ];
        let End::Contradiction { culprit, .. } = search(&mut tasks).end else {
            panic!("nobody wrote 9");
        };
        assert_eq!(culprit, 3);
    }

    #[test]
    fn a_search_that_exceeds_its_bound_is_undecided() {
        // Writes that all overlap, and a read of what none of them wrote: every subset is looked at.
        let mut tasks: Vec<Task<Register>> = (1..=30)
            .map(|value| task(value, 100, Op::Write(wide(value))))
            .collect();
        tasks.push(task(90, 100, Op::Read(99)));
        let searched = search_within(&mut tasks, 5_000);
        assert_eq!(searched.end, End::Undecided { first: 0, last: 30 });
        assert_eq!(searched.steps, 5_000);
    }

    #[test]
    fn what_is_inferred_may_be_first_and_last_at_its_lines() {
        let mut tasks = vec![
            Task {
                is_inferred: true,
                ..task(4, 4, Op::Write(1))
            },
            task(4, 5, Op::Read(1)),
        ];
        assert_eq!(search(&mut tasks).end, End::Fits);
    }
}
