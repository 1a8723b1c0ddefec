//! The operations of one key, gathered for a search, and what the search says in words.

use std::rc::Rc;

use super::Case;
use super::orphans::Window;
use super::search::{End, Model, Searched, Task, search};
use super::story::Operation;
use super::verdict::Notes;

/// Operations that a finding shows before the one that fits into no order.
const CONTEXT_MAX: usize = 6;

/// The tasks of one key.
#[derive(Debug)]
pub(super) struct Tasks<M: Model>(Vec<Task<M>>);

impl<M: Model> Default for Tasks<M> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<M: Model> Tasks<M> {
    /// Adds an operation that was answered; the time of its answer goes into what it does.
    pub(super) fn answered(
        &mut self,
        place: usize,
        operation: &Operation<'_>,
        op: impl FnOnce(u64) -> M::Op,
    ) {
        if let Some((at, _)) = operation.answered() {
            self.0.push(Task {
                from: operation.invoked.line,
                to: at.line,
                is_inferred: false,
                operation: Some(place),
                op: Rc::new(op(at.us)),
            });
        }
    }

    /// Adds what was not answered, but happened between these lines.
    pub(super) fn inferred(&mut self, window: Window, op: impl FnOnce(u64) -> M::Op) {
        self.0.push(Task {
            from: window.from.line,
            to: window.to.line,
            is_inferred: true,
            operation: None,
            op: Rc::new(op(window.to.us)),
        });
    }
}

/// Searches the key, and notes what comes of it.
pub(super) fn report<M: Model>(notes: &mut Notes, case: &Case<'_>, what: &str, tasks: Tasks<M>) {
    let mut tasks = tasks.0;
    let Searched {
        end,
        steps,
        searches,
    } = search(&mut tasks);
    notes.looked_at("operations", tasks.len());
    notes.looked_at("searches", searches);
    notes.looked_at("steps", usize::try_from(steps).unwrap_or(usize::MAX));
    let operation = |task: &Task<M>| task.operation.map(|place| &case.story.operations[place]);
    match end {
        End::Fits => {}
        End::Contradiction { culprit, since } => {
            let last = &tasks[culprit];
            let words = match operation(last) {
                Some(operation) => operation.words(),
                None => format!(
                    "generation {}, which a claim of unknown outcome was given,",
                    M::gives(&last.op)
                ),
            };
            let says = format!(
                "{what} contradicts itself: {words} fits into no order of what else was answered"
            );
            let around = (since..tasks.len())
                .filter(|place| *place != culprit && tasks[*place].from <= last.to)
                .rev()
                .take(CONTEXT_MAX);
            let shown = around
                .chain([culprit])
                .filter_map(|place| operation(&tasks[place]));
            notes.wrong(says, shown.flat_map(Operation::proof));
        }
        End::Undecided { first, last } => {
            let says = format!(
                "{what}: the search for an order of {} operations was given up after {steps} steps",
                last - first + 1
            );
            let ends = [first, last]
                .into_iter()
                .filter_map(|place| operation(&tasks[place]));
            notes.undecided(says, ends.flat_map(Operation::proof));
        }
    }
}
