//! One server of PostgreSQL that syncs what it commits, and claims in it under a row lock.
//!
//! A claim locks its pool's row (`SELECT … FOR UPDATE`), takes the next address, writes the claim, and commits: what an
//! application with an allocator in a database does. It is one call of a function, so that the lock is not held while
//! anything goes over the network.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::ports::PortBlock;
use cluster_tests::process::Process;
use cluster_tests::wait;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_postgres::{Config, NoTls, Statement};

use crate::load::{Client, Target};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(10);
const STOP_LOOKS: u32 = 1_000;
/// Pools that there are.
pub(crate) const POOLS: usize = 16;
const CONNECTIONS_MAX: usize = 300;
/// Where Debian's packages put the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The server does not run as root.
const USER: &str = "postgres";

const SCHEMA: &str = "
    CREATE TABLE pools (id integer PRIMARY KEY, next bigint NOT NULL);
    CREATE TABLE claims (
        name text PRIMARY KEY,
        pool integer NOT NULL,
        address inet NOT NULL,
        UNIQUE (pool, address)
    );
    CREATE FUNCTION claim(claim_name text, from_pool integer) RETURNS inet LANGUAGE plpgsql AS $$
    DECLARE taken bigint;
    BEGIN
        SELECT next INTO taken FROM pools WHERE id = from_pool FOR UPDATE;
        UPDATE pools SET next = taken + 1 WHERE id = from_pool;
        INSERT INTO claims VALUES (claim_name, from_pool, inet '10.0.0.0' + taken);
        RETURN inet '10.0.0.0' + taken;
    END $$;
    INSERT INTO pools SELECT id, id::bigint << 20 FROM generate_series(0, 15) AS id;
";

/// The folder with the programs of the newest version.
pub(super) fn folder() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(VERSIONS)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            let folder = path.join("bin");
            folder.join("initdb").exists().then_some((version, folder))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}

/// The server, while it runs.
#[derive(Debug)]
pub(crate) struct Postgres {
    config: Config,
    process: Process,
    _ports: PortBlock,
    _folder: TempDir,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed, it would leave its shared memory and its children behind; this is its fast shutdown.
        if self.process.signal(Signal::INT).is_err() {
            return;
        }
        for _ in 0..STOP_LOOKS {
            if !self.process.is_running() {
                return;
            }
            std::thread::sleep(STOP_WITHIN / STOP_LOOKS);
        }
    }
}

impl Postgres {
    /// Makes a database with its data where ipamd and etcd have theirs, and waits until it serves.
    pub(crate) async fn start(programs: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("ipam-bench-postgres-")?;
        let owner = Owner::of_the_server()?;
        owner.give(folder.path())?;
        let data = folder.path().join("data");
        let mut initdb = Command::new(programs.join("initdb"));
        initdb
            .args(["--auth", "trust", "--username", USER, "--encoding", "UTF8"])
            .arg("--pgdata")
            .arg(&data);
        let made = owner.run_as(&mut initdb, folder.path()).output()?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let ports = PortBlock::take()?;
        let address = ports.http(1);
        let mut server = Command::new(programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .args(["-h", &address.ip().to_string()])
            .args(["-p", &address.port().to_string()])
            .arg("-k")
            .arg(folder.path())
            .args(["-N", &CONNECTIONS_MAX.to_string()]);
        let log = folder.path().join("server.log");
        let process = Process::start(owner.run_as(&mut server, folder.path()), &log)?;
        let mut config = Config::new();
        config
            .host(address.ip().to_string())
            .port(address.port())
            .user(USER)
            .dbname("postgres");
        let postgres = Self {
            config,
            process,
            _ports: ports,
            _folder: folder,
        };
        let first = wait::until("PostgreSQL serves", READY_WITHIN, || async {
            Session::open(&postgres.config).await.ok()
        });
        first.await?.client.batch_execute(SCHEMA).await?;
        Ok(postgres)
    }
}

/// Whom the server runs as: the package's user where we are root.
#[derive(Debug, Clone, Copy)]
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn of_the_server() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let user = users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, user, group, ..] = fields[..] else {
                return None;
            };
            (name == USER).then_some((user.parse().ok()?, group.parse().ok()?))
        });
        Ok(Self(Some(user.context("the user postgres")?)))
    }

    fn give(self, path: &Path) -> Result<()> {
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }

    fn run_as<'a>(self, command: &'a mut Command, folder: &Path) -> &'a mut Command {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir(folder)
    }
}

/// A connection.
#[derive(Debug)]
struct Session {
    client: tokio_postgres::Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    async fn open(config: &Config) -> Result<Self> {
        let (client, connection) = config.connect(NoTls).await?;
        // How the connection ended shows in the query that it ended under.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, driver })
    }
}

/// Claims from some of the pools, over which the connections are spread.
#[derive(Debug)]
pub(crate) struct Claims {
    postgres: Arc<Postgres>,
    pools: usize,
    next: Arc<AtomicU32>,
}

impl Claims {
    /// From the first so many pools.
    pub(crate) fn new(postgres: &Arc<Postgres>, pools: usize) -> Self {
        Self {
            postgres: Arc::clone(postgres),
            pools,
            next: Arc::default(),
        }
    }
}

impl Target for Claims {
    type Client = Claimant;

    async fn connect(&self, number: usize) -> Result<Claimant> {
        let session = Session::open(&self.postgres.config).await?;
        let claim = session.client.prepare("SELECT claim($1, $2)").await?;
        Ok(Claimant {
            session,
            claim,
            pool: i32::try_from(number % self.pools)?,
            pools: self.pools,
            next: Arc::clone(&self.next),
        })
    }
}

/// One connection that claims.
#[derive(Debug)]
pub(crate) struct Claimant {
    session: Session,
    claim: Statement,
    pool: i32,
    pools: usize,
    next: Arc<AtomicU32>,
}

impl Client for Claimant {
    type Told = Ipv4Addr;

    async fn turn(&mut self) -> Result<Ipv4Addr> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("claim-{:02}-{number:015}", self.pools);
        let row = self
            .session
            .client
            .query_one(&self.claim, &[&name, &self.pool])
            .await?;
        match row.try_get(0)? {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(address) => anyhow::bail!("{address} from a pool of IPv4"),
        }
    }
}
