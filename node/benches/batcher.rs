//! What the queue does for a claim: takes it in, gives it to an entry, and tells its answer to who waits, be it a request
//! of this node or a message of another one.

use std::hint::black_box;

use allocator::answer::Answer;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use node::batcher::trial::Trial;
use raft_store::codec::EncodedCommand;

#[path = "claims/mod.rs"]
mod claims;

/// Commands in an entry: at rest, under load, and with a long queue.
const ENTRIES: [u32; 3] = [1, 20, 500];

fn batcher(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("batcher");
    for count in ENTRIES {
        group.throughput(Throughput::Elements(u64::from(count)));
        let commands: Vec<EncodedCommand> = (0..count).map(claims::encoded).collect();
        let envelopes = (0..count).map(claims::claim).collect();
        let answers: Vec<Answer> = claims::Claimed::new().answers(envelopes);
        let id = BenchmarkId::new("push and take", count);
        group.bench_function(id, |bencher| {
            let setup = || (Trial::new(commands.len()), commands.clone());
            bencher.iter_batched(
                setup,
                |(mut trial, commands)| {
                    let ends: Vec<_> = commands.into_iter().map(|each| trial.push(each)).collect();
                    let batch = trial.take();
                    assert_eq!(batch.count(), ends.len(), "they go together");
                    (trial, batch, ends)
                },
                BatchSize::SmallInput,
            );
        });
        let id = BenchmarkId::new("end, to a request each", count);
        group.bench_function(id, |bencher| {
            let setup = || {
                let mut trial = Trial::new(commands.len());
                let ends: Vec<_> = commands
                    .iter()
                    .map(|each| trial.push(each.clone()))
                    .collect();
                (trial.take(), ends, answers.clone())
            };
            bencher.iter_batched(
                setup,
                |(batch, ends, answers)| {
                    batch.end(answers);
                    let answers = ends
                        .into_iter()
                        .map(|end| end.answer().expect("it has ended"));
                    black_box(answers.collect::<Vec<Answer>>())
                },
                BatchSize::SmallInput,
            );
        });
        let id = BenchmarkId::new("end, to one message", count);
        group.bench_function(id, |bencher| {
            let setup = || {
                let mut trial = Trial::new(commands.len());
                let ends = trial.push_all(commands.iter().cloned());
                (trial.take(), ends, answers.clone())
            };
            bencher.iter_batched(
                setup,
                |(batch, ends, answers)| {
                    batch.end(answers);
                    let answers = runtime.block_on(ends.answers());
                    assert_eq!(answers.len(), commands.len(), "all have ended");
                    answers
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, batcher);
criterion_main!(benches);
