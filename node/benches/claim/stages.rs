//! The stages of a claim that can be run by themselves.

use allocator::answer::Answer;
use allocator::command::{Entry, Stamp};
use api::problem::Viewer;
use api::reply::Reply;
use node::batcher::trial::Trial;
use raft_store::codec::EncodedCommand;
use raft_store::types::Payload;

use crate::claims::{Claimed, body, claim, encoded, parsed, tenant};
use crate::meter::Meter;

/// A stage.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// How many claims one run is for.
    pub(crate) claims: f64,
    pub(crate) run: fn(&mut Meter),
}

/// Commands in an entry under load.
const MANY: u32 = 20;
const MANY_CLAIMS: f64 = 20.0;
/// Room for the JSON of an answer, as the server gives it.
const ANSWER_BYTES: usize = 1_024;

pub(crate) const STAGES: [Stage; 10] = [
    Stage {
        name: "parse: the body to a command",
        claims: 1.0,
        run: |meter| meter.run(|number| body(short(number)), |body| parsed(&body)),
    },
    Stage {
        name: "encode the command",
        claims: 1.0,
        run: |meter| {
            meter.run(
                |number| claim(short(number)),
                |envelope| EncodedCommand::encode(&envelope),
            );
        },
    },
    Stage {
        name: "queue: in, out, its end told",
        claims: MANY_CLAIMS,
        run: queue,
    },
    Stage {
        name: "join an entry of 1",
        claims: 1.0,
        run: |meter| join(meter, 1),
    },
    Stage {
        name: "join an entry of 20",
        claims: MANY_CLAIMS,
        run: |meter| join(meter, MANY),
    },
    Stage {
        name: "decode an entry of 1",
        claims: 1.0,
        run: |meter| decode(meter, 1),
    },
    Stage {
        name: "decode an entry of 20",
        claims: MANY_CLAIMS,
        run: |meter| decode(meter, MANY),
    },
    Stage {
        name: "apply an entry of 1",
        claims: 1.0,
        run: |meter| apply(meter, 1),
    },
    Stage {
        name: "apply an entry of 20",
        claims: MANY_CLAIMS,
        run: |meter| apply(meter, MANY),
    },
    Stage {
        name: "answer: the outcome to JSON",
        claims: 1.0,
        run: answer,
    },
];

fn queue(meter: &mut Meter) {
    let envelopes = (0..MANY).map(claim).collect();
    let answers: Vec<Answer> = Claimed::new().answers(envelopes);
    let mut trial = Trial::new(usize::try_from(MANY).unwrap_or(usize::MAX));
    meter.run(
        |_| ((0..MANY).map(encoded).collect::<Vec<_>>(), answers.clone()),
        |(commands, answers)| {
            let ends: Vec<_> = commands.into_iter().map(|each| trial.push(each)).collect();
            trial.take().end(answers);
            for end in ends {
                assert!(end.answer().is_some(), "it has ended");
            }
        },
    );
}

fn join(meter: &mut Meter, commands: u32) {
    meter.run(
        |_| (0..commands).map(encoded).collect::<Vec<_>>(),
        |commands| Payload::join(&Stamp::default(), &commands),
    );
}

fn decode(meter: &mut Meter, commands: u32) {
    let commands: Vec<EncodedCommand> = (0..commands).map(encoded).collect();
    let payload = Payload::join(&Stamp::default(), &commands).expect("a short entry");
    meter.run(|_| payload.clone(), |payload| payload.decode());
}

fn apply(meter: &mut Meter, commands: u32) {
    let mut claimed = Claimed::new();
    meter.run(
        |number| {
            let first = short(number) * commands;
            Entry {
                stamp: Stamp::default(),
                commands: (first..first + commands).map(claim).collect(),
            }
        },
        |entry| {
            let answers = claimed.apply(&entry);
            assert!(
                answers.iter().all(|answer| answer.result.is_ok()),
                "{answers:?}"
            );
            answers
        },
    );
}

fn answer(meter: &mut Meter) {
    let mut claimed = Claimed::new();
    let tenant = tenant();
    meter.run(
        |number| claimed.answers(vec![claim(short(number))]),
        |answers| {
            let reply = Reply::of(&answers[0], Viewer::Tenant(&tenant)).expect("it got its block");
            let mut json = Vec::with_capacity(ANSWER_BYTES);
            serde_json::to_writer(&mut json, &reply.body).expect("a document");
            json
        },
    );
}

fn short(number: usize) -> u32 {
    u32::try_from(number).expect("a stage does not run that often")
}
