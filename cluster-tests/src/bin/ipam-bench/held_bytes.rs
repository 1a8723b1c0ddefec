//! What a held block takes of memory: the resident set of a process of its own that holds a million and nothing else, ring apart.

use std::process::{self, Command as Process};

use allocator::command::{ClaimSpec, Command};
use allocator::name::{Labels, Owner};
use allocator::settings::{EVENTS_COUNT, SettingChange, SettingsEdit};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::entries::{Applying, claim, root_pool, tenant};
use crate::report::{decimal, line};
use crate::usage::resident;
use crate::verdict::Verdicts;

const HELD: u32 = 1_000_000;
/// Claims in one entry.
const ENTRY: u32 = 500;

/// What the claims that hold them are like.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// A name of 24 bytes, nothing else
    Plain,
    /// As the CNI plugin makes them: a name of 44 bytes, an owner, seven labels
    Cni,
}

impl Kind {
    /// Bytes that one may take.
    fn budget(self) -> u64 {
        match self {
            Self::Plain => 250,
            Self::Cni => 1_024,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Plain => "with a name of 24 bytes",
            Self::Cni => "of the CNI plugin: a name of 44 bytes, owner, 7 labels",
        }
    }

    fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn claim(self, number: u32) -> Result<ClaimSpec> {
        match self {
            Self::Plain => claim("p", &format!("claim-{number:018}")),
            Self::Cni => cni_claim(number),
        }
    }
}

/// Measures each kind in a process of its own, and judges what it said.
pub(crate) fn judge(verdicts: &mut Verdicts) -> Result<()> {
    for kind in Kind::value_variants() {
        let output = Process::new(std::env::current_exe()?)
            .args(["--held-bytes", &kind.argument()])
            .output()?;
        let told = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let bytes: u64 = told.trim().parse().with_context(|| told.clone())?;
        verdicts.judge(
            &format!("bytes a held block {}", kind.told()),
            bytes.to_string(),
            kind.budget().to_string(),
            bytes <= kind.budget(),
        );
    }
    Ok(())
}

/// Holds a million, and tells how many bytes one of them takes.
pub(crate) fn tell(kind: Kind) -> Result<()> {
    let mut applying = Applying::default();
    let pool = root_pool("p", "10.0.0.0/8".parse().ok().context("a CIDR")?)?;
    // The ring of events is apart: it keeps the fewest that it can.
    let settings = SettingsEdit {
        events_max_count: SettingChange::To(*EVENTS_COUNT.start()),
        ..SettingsEdit::default()
    };
    applying.apply(vec![
        Command::Form { cluster_id: 1 },
        tenant()?,
        Command::PoolCreate(Box::new(pool)),
        Command::SettingsEdit(settings),
    ]);
    let before = resident(process::id())?;
    for first in (0..HELD).step_by(ENTRY as usize) {
        let claims = (first..first + ENTRY)
            .map(|number| Ok(Command::ClaimCreate(Box::new(kind.claim(number)?))))
            .collect::<Result<_>>()?;
        let (answers, _) = applying.apply(claims);
        ensure!(
            answers.iter().all(|answer| answer.result.is_ok()),
            "every claim gets a block"
        );
    }
    let bytes = resident(process::id())? - before;
    line(&decimal(bytes / f64::from(HELD), 0));
    Ok(())
}

/// Name, owner and labels as SPEC §7 has them.
fn cni_claim(number: u32) -> Result<ClaimSpec> {
    let node = format!("node-{}", number % 500);
    let container = format!("{number:064x}");
    let owner = format!("{node}/podnet/{container}/eth0");
    let labels = [
        ("network", "podnet".to_owned()),
        ("node", node),
        ("container", container),
        ("interface", "eth0".to_owned()),
        ("pod-namespace", format!("team-{}", number % 50)),
        (
            "pod-name",
            format!("web-{:08x}-{:05x}", number / 7, number % 7),
        ),
        ("pod-uid", format!("00000000-0000-4000-8000-{number:012x}")),
    ];
    let labels: Labels = labels
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    Ok(ClaimSpec {
        owner: Some(Owner::new(&owner).ok().context("an owner")?),
        labels,
        ..claim("p", &format!("cni.{number:040x}"))?
    })
}
