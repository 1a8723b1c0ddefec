//! What the codec does for a claim: a command is encoded where it came in, commands are joined to an entry, and what
//! applies the entry decodes it.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use raft_store::codec::EncodedCommand;
use raft_store::types::Payload;

#[path = "claims/mod.rs"]
mod claims;

use claims::{ENTRIES, claim, joined, stamp};

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let envelope = claim(1);
    group.bench_function("encode a claim", |bencher| {
        bencher.iter(|| EncodedCommand::encode(black_box(&envelope)));
    });
    for commands in ENTRIES {
        group.throughput(Throughput::Elements(commands));
        let encoded: Vec<EncodedCommand> = (0..commands).map(claims::encoded).collect();
        let id = BenchmarkId::new("join an entry", commands);
        group.bench_function(id, |bencher| {
            bencher.iter(|| Payload::join(&stamp(), black_box(&encoded)));
        });
        let payload = joined(0..commands);
        let id = BenchmarkId::new("decode an entry", commands);
        group.bench_function(id, |bencher| bencher.iter(|| black_box(&payload).decode()));
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
