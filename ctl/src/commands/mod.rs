//! The commands, one file for each noun.

mod allocation;
mod apply;
mod cascade;
mod claim;
mod cluster;
mod edit;
mod editor;
mod history;
mod owner;
mod planned;
mod pool;
mod prune;
mod reconcile;
mod release;
mod settings;
mod tenant;
mod watch;

use std::future::Future;

use allocator::name::Name;
use api::views::List;
use clap::CommandFactory;
use client::{Answer, Client, Error, Filter};

use crate::args::{
    About, ClaimPurpose, Cli, Command, DryRun, Family, Narrow, Paging, Phase, PoolPhase, Purpose,
    Strategy,
};
use crate::failure::Failure;
use crate::output::{self, OfTenant, Output, Row};
use crate::settings::Settings;
use crate::transfer;

/// Most items on a page of the API.
const PAGE_MAX: u64 = api::requests::query::LIMIT_MAX;

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    if let Command::Completion { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "ipamctl", &mut script);
        return output::write(&String::from_utf8_lossy(&script));
    }
    let settings = Settings::load(&cli.global)?;
    let context = Context {
        client: settings.client()?,
        output: Output::new(cli.global.output),
        settings,
    };
    match cli.command {
        Command::Tenant(command) => tenant::run(&context, command).await,
        Command::Pool(command) => pool::run(&context, command).await,
        Command::Claim(command) => claim::run(&context, command).await,
        Command::Allocation(command) => allocation::run(&context, command).await,
        Command::Owner(command) => owner::run(&context, command).await,
        Command::Reconcile(asked) => reconcile::run(&context, asked).await,
        Command::Lookup { cidr, space, at } => {
            allocation::lookup(&context, cidr, space.as_ref(), at.as_deref()).await
        }
        Command::History(command) => history::run(&context, command).await,
        Command::Watch(command) => watch::run(&context, command).await,
        Command::Apply(apply) => apply::run(&context, &apply).await,
        Command::Plan(manifests) => apply::plan(&context, &manifests).await,
        Command::Export(export) => transfer::export(&context, &export).await,
        Command::Import(import) => transfer::import(&context, &import).await,
        Command::Cluster(command) => cluster::run(&context, command).await,
        Command::Completion { .. } => unreachable!("it was done above"),
    }
}

/// What every command works with.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn tenant(&self) -> Result<&Name, Failure> {
        self.settings.tenant()
    }

    /// The client for a mutation.
    pub(crate) fn writer(&self, dry_run: DryRun) -> Client {
        if dry_run.dry_run {
            self.client.with_dry_run()
        } else {
            self.client.clone()
        }
    }

    /// Shows what a creation answered, and says beside it whether it is new.
    fn created<T: Row>(
        &self,
        kind: &str,
        answer: &Answer<T>,
        dry_run: DryRun,
    ) -> Result<(), Failure> {
        let done = match (dry_run.dry_run, answer.is_new()) {
            (false, true) => "created",
            (false, false) => "unchanged: it was there already",
            (true, true) => "would be created (dry run)",
            (true, false) => "would be unchanged: it is there already (dry run)",
        };
        output::note(&format!("{kind} {} {done}", answer.body.name()));
        self.output.one(&answer.body)
    }

    /// Shows what a change answered.
    fn changed<T: Row>(
        &self,
        kind: &str,
        answer: &Answer<T>,
        done: &str,
        dry_run: DryRun,
    ) -> Result<(), Failure> {
        let name = answer.body.name();
        if dry_run.dry_run {
            output::note(&format!("{kind} {name} would be {done} (dry run)"));
        } else {
            output::note(&format!("{kind} {name} {done}"));
        }
        self.output.one(&answer.body)
    }

    /// Shows a list, page after page.
    async fn list<T: Row, F: Future<Output = Result<Answer<List<T>>, Error>>>(
        &self,
        filter: Filter,
        paging: &Paging,
        page: impl FnMut(Filter) -> F,
    ) -> Result<(), Failure> {
        let (items, revision) = collect(filter, paging.limit, page).await?;
        self.output.list(&items, revision)
    }

    /// The same of a list over all tenants.
    async fn list_all<T: OfTenant, F: Future<Output = Result<Answer<List<T>>, Error>>>(
        &self,
        filter: Filter,
        paging: &Paging,
        page: impl FnMut(Filter) -> F,
    ) -> Result<(), Failure> {
        let (items, revision) = collect(filter, paging.limit, page).await?;
        self.output.list_all(&items, revision)
    }
}

/// The items of all pages up to `limit`, and the revision of the last page.
pub(crate) async fn collect<T, F: Future<Output = Result<Answer<List<T>>, Error>>>(
    filter: Filter,
    limit: Option<u64>,
    mut page: impl FnMut(Filter) -> F,
) -> Result<(Vec<T>, Option<u64>), Failure> {
    let mut items = Vec::new();
    let mut filter = filter;
    loop {
        let have = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let wanted = limit.map_or(PAGE_MAX, |limit| limit.saturating_sub(have).min(PAGE_MAX));
        let answer = page(filter.clone().limit(wanted)).await?;
        items.extend(answer.body.items);
        let enough =
            limit.is_some_and(|limit| u64::try_from(items.len()).is_ok_and(|have| have >= limit));
        match answer.body.next_page_token {
            Some(token) if !enough => filter = filter.page_token(token),
            Some(_) => {
                output::note(&format!("there are more than the {} shown", items.len()));
                return Ok((items, Some(answer.body.revision)));
            }
            None => return Ok((items, Some(answer.body.revision))),
        }
    }
}

impl Narrow {
    /// The filter of a list.
    pub(crate) fn filter(&self) -> Filter {
        let pairs = [
            ("labelSelector", self.selector.clone()),
            ("space", self.space.as_ref().map(ToString::to_string)),
            ("family", self.family.map(Family::word).map(str::to_owned)),
            ("owner", self.owner.clone()),
            ("ownerPrefix", self.owner_prefix.clone()),
            ("within", self.within.clone()),
            ("contains", self.contains.clone()),
        ];
        pairs
            .into_iter()
            .fold(Filter::new(), |filter, (name, value)| {
                by(filter, name, value)
            })
    }
}

/// The filter narrowed by a parameter, where it has a value.
fn by(filter: Filter, parameter: &'static str, value: Option<impl Into<String>>) -> Filter {
    match value {
        Some(value) => filter.by(parameter, value),
        None => filter,
    }
}

impl About {
    fn labels(&self) -> api::fields::Labels {
        api::fields::Labels(self.labels.iter().cloned().collect())
    }

    fn annotations(&self) -> api::fields::Labels {
        api::fields::Labels(self.annotations.iter().cloned().collect())
    }
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        }
    }
}

impl From<Strategy> for allocator::command::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::FirstFit => Self::FirstFit,
            Strategy::BestFit => Self::BestFit,
            Strategy::NextFit => Self::NextFit,
            Strategy::LeastUtilized => Self::LeastUtilized,
        }
    }
}

impl From<Family> for allocator::prefix::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::IPv4 => Self::IPv4,
            Family::IPv6 => Self::IPv6,
        }
    }
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Allocated => "Allocated",
            Self::InUse => "InUse",
            Self::Released => "Released",
        }
    }
}

impl PoolPhase {
    fn word(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Draining => "Draining",
            Self::Exhausted => "Exhausted",
        }
    }
}

impl ClaimPurpose {
    fn word(self) -> &'static str {
        match self {
            Self::Claim => "Claim",
            Self::Reservation => "Reservation",
        }
    }
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Claim => "Claim",
            Self::Child => "Child",
            Self::Reservation => "Reservation",
        }
    }
}
