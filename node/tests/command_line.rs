//! The program as an operator meets it: exit codes, messages, signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How often a state is looked for before a test gives up: at 20 ms each, a minute.
const LOOKS: usize = 3_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

fn ipamd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipamd"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("IPAMD_") {
            command.env_remove(name);
        }
    }
    command
}

/// A complete command line of a node alone.
fn serve(data_dir: &Path, node_id: u64, listen: SocketAddr, peer_listen: SocketAddr) -> Command {
    let mut command = ipamd();
    command
        .arg("serve")
        .args(["--node-id", &node_id.to_string()])
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--listen", &listen.to_string()])
        .args(["--peer-listen", &peer_listen.to_string()])
        .args(["--cluster", &format!("{node_id}={peer_listen}")]);
    command
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A free port with another free one above it, where `ipamd dev` puts the peers.
fn free_ports() -> SocketAddr {
    until("two free ports in a row", || {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut next = first.local_addr().unwrap();
        next.set_port(next.port().checked_add(1)?);
        TcpListener::bind(next)
            .ok()
            .map(|_| first.local_addr().unwrap())
    })
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    panic!("{what} did not come");
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn ended(child: &mut Child) -> ExitStatus {
    until("the end of the process", || child.try_wait().unwrap())
}

/// Whether a process that is not a child of this one runs no longer. It may wait to be reaped.
fn has_ended(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return true;
    };
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Sends a request and gives back the answer as it came, head and body.
fn exchange(address: SocketAddr, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"),
    )
}

/// A process that is killed if a test fails before it has ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_switch_wins_over_a_variable_and_a_variable_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ipamd.toml");
    std::fs::write(
        &file,
        "listen = \"192.0.2.3:1\"\npeer-listen = \"127.0.0.1:1\"\nnode-id = 1\ncluster = \"1=a:1\"\n",
    )
    .unwrap();
    let cases: &[(Option<&str>, Option<&str>, &str)] = &[
        (None, None, "192.0.2.3:1"),
        (None, Some("192.0.2.2:1"), "192.0.2.2:1"),
        (Some("192.0.2.1:1"), None, "192.0.2.1:1"),
        (Some("192.0.2.1:1"), Some("192.0.2.2:1"), "192.0.2.1:1"),
    ];
    for (switch, variable, expected) in cases {
        let mut command = ipamd();
        command.arg("serve").arg("--config").arg(&file);
        command.args(switch.iter().flat_map(|value| ["--listen", value]));
        command.envs(variable.iter().map(|value| ("IPAMD_LISTEN", value)));
        let output = command.output().unwrap();
        // The refusal to listen there without --insecure names the address that was chosen.
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains(&format!("listen is {expected}")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_command_line_that_cannot_be_followed_ends_with_code_2_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ipamd.toml");
    std::fs::write(&file, "colour = \"blue\"\n").unwrap();
    let file = file.to_str().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["fly"], "fly"),
        (&["serve"], "--node-id"),
        (&["serve", "--colour"], "--colour"),
        (&["serve", "--listen", "here"], "--listen"),
        (&["serve", "--cluster", "1=a"], "has no port"),
        (&["serve", "--cluster-dns", "a"], "has no port"),
        (&["serve", "--config", file], "unknown field `colour`"),
        (
            &["serve", "--config", "/nonexistent"],
            "/nonexistent cannot be read",
        ),
        (&["dev", "--nodes", "0"], "--nodes"),
    ];
    for (arguments, expected) in cases {
        let output = ipamd().args(*arguments).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_in_the_way_of_a_start_ends_with_code_1_and_is_named_once() {
    let directory = tempfile::tempdir().unwrap();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let not_a_directory = directory.path().join("file");
    std::fs::write(&not_a_directory, "").unwrap();

    let taken = occupied.local_addr().unwrap();
    let http_in_use = serve(&directory.path().join("a"), 1, taken, free_port());
    let peer_in_use = serve(&directory.path().join("b"), 1, free_port(), taken);
    let no_directory = serve(&not_a_directory.join("data"), 1, free_port(), free_port());
    let mut dev_in_use = ipamd();
    dev_in_use.args(["dev", "--nodes", "1", "--listen", &address]);
    let mut dev_open = ipamd();
    dev_open.args(["dev", "--listen", "0.0.0.0:7400"]);
    let cases = [
        (http_in_use, address.as_str()),
        (peer_in_use, address.as_str()),
        (no_directory, not_a_directory.to_str().unwrap()),
        (dev_in_use, address.as_str()),
        (dev_open, "0.0.0.0:7400"),
    ];
    for (mut command, named) in cases {
        let output = command.output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
        assert_eq!(text.matches(named).count(), 1, "{command:?}: {text}");
    }
}

#[test]
fn a_node_stops_in_good_order_and_its_directory_is_no_one_elses() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let listen = free_port();
    let mut node = serve(&data, 1, listen, free_port());
    let mut node = Running(node.args(["--log-format", "json"]).spawn().unwrap());
    let mut log = node.0.stderr.take().unwrap();
    until("readiness", || {
        get(listen, "/readyz").filter(|answer| answer.starts_with("HTTP/1.1 200"))
    });
    signal(node.0.id(), Signal::TERM);
    assert_eq!(ended(&mut node.0).code(), Some(0));
    let mut lines = String::new();
    log.read_to_string(&mut lines).unwrap();
    let messages: Vec<String> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["message"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for expected in ["serving", "stopping", "stopped"] {
        assert_eq!(
            messages
                .iter()
                .filter(|message| *message == expected)
                .count(),
            1,
            "{messages:?}"
        );
    }

    let other = serve(&data, 2, free_port(), free_port()).output().unwrap();
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
    assert!(stderr(&other).contains("node 1"), "{}", stderr(&other));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time that real processes take is what is tested"
)]
fn three_nodes_that_are_told_to_stop_at_once_are_soon_gone() {
    let directory = tempfile::tempdir().unwrap();
    let places: Vec<(u64, SocketAddr, SocketAddr)> =
        (1..=3).map(|id| (id, free_port(), free_port())).collect();
    let named: Vec<String> = places
        .iter()
        .map(|(id, _, peers)| format!("{id}={peers}"))
        .collect();
    let mut nodes: Vec<Running> = places
        .iter()
        .map(|(id, listen, peers)| {
            let mut node = ipamd();
            node.arg("serve")
                .args(["--node-id", &id.to_string()])
                .args(["--listen", &listen.to_string()])
                .args(["--peer-listen", &peers.to_string()])
                .args(["--cluster", &named.join(",")])
                .arg("--data-dir")
                .arg(directory.path().join(id.to_string()));
            Running(node.spawn().unwrap())
        })
        .collect();
    for (_, listen, _) in &places {
        until("readiness", || {
            get(*listen, "/readyz").filter(|answer| answer.starts_with("HTTP/1.1 200"))
        });
    }
    let told = Instant::now();
    for node in &nodes {
        signal(node.0.id(), Signal::TERM);
    }
    for node in &mut nodes {
        assert_eq!(ended(&mut node.0).code(), Some(0));
    }
    let took = told.elapsed();
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    for node in &mut nodes {
        let mut log = String::new();
        let mut stderr = node.0.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        assert!(!log.contains("Double call"), "{log}");
    }
}

/// What `ipamd dev` prints once its cluster is up, and what it goes on to print.
struct Guide {
    endpoints: Vec<SocketAddr>,
    processes: Vec<u32>,
    curl: String,
    data: PathBuf,
    rest: Lines<BufReader<ChildStdout>>,
}

fn read_guide(dev: &mut Child) -> Guide {
    let mut guide = Guide {
        endpoints: Vec::new(),
        processes: Vec::new(),
        curl: String::new(),
        data: PathBuf::new(),
        rest: BufReader::new(dev.stdout.take().unwrap()).lines(),
    };
    while let Some(line) = guide.rest.next() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["node", _, url, "(process", process, ..] => {
                let address = url.strip_prefix("http://").unwrap();
                guide.endpoints.push(address.parse().unwrap());
                guide
                    .processes
                    .push(process.trim_end_matches(',').parse().unwrap());
            }
            ["curl", ..] if guide.curl.is_empty() => line.trim().clone_into(&mut guide.curl),
            ["The", "data", "is", "in", path, ..] => guide.data = path.into(),
            ["Ctrl-C", ..] => return guide,
            _ => {}
        }
    }
    panic!("the guide did not come to its end");
}

/// The printed curl command as the request that it sends.
fn printed_request(guide: &Guide) -> String {
    let url = format!("http://{}/v1/tenants/demo/claims", guide.endpoints[0]);
    assert!(guide.curl.contains(&url), "{}", guide.curl);
    let body = guide
        .curl
        .split('\'')
        .nth(3)
        .expect("the body stands in quotes");
    format!(
        "POST /v1/tenants/demo/claims HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn dev_prints_a_cluster_whose_claim_works_as_printed_and_stops_it_all() {
    let mut dev = Running(
        ipamd()
            .args(["dev", "--listen", "127.0.0.1:0"])
            .spawn()
            .unwrap(),
    );
    let mut guide = read_guide(&mut dev.0);
    assert_eq!(guide.endpoints.len(), 3);
    assert!(guide.data.is_dir());
    let claimed = exchange(guide.endpoints[0], &printed_request(&guide)).unwrap();
    assert!(
        claimed.starts_with("HTTP/1.1 201") && claimed.contains("allocatedCIDR"),
        "{claimed}"
    );
    for endpoint in &guide.endpoints {
        let path = "/v1/tenants/demo/claims/hello?consistency=linearizable";
        assert!(
            get(*endpoint, path).unwrap().starts_with("HTTP/1.1 200"),
            "{endpoint}"
        );
    }

    signal(guide.processes[2], Signal::KILL);
    let told = guide
        .rest
        .find(|line| line.as_ref().unwrap().starts_with("Node 3 has ended"));
    assert!(told.is_some(), "the end of a node is told");

    signal(dev.0.id(), Signal::INT);
    assert_eq!(ended(&mut dev.0).code(), Some(0));
    assert!(!guide.data.exists(), "the temporary directory is removed");
    for endpoint in guide.endpoints {
        assert!(
            TcpStream::connect(endpoint).is_err(),
            "{endpoint} is still served"
        );
    }
}

#[test]
fn dev_stops_in_good_order_also_when_nobody_reads_what_it_prints() {
    let mut dev = Running(
        ipamd()
            .args(["dev", "--nodes", "1", "--listen", "127.0.0.1:0"])
            .spawn()
            .unwrap(),
    );
    let Guide { rest, data, .. } = read_guide(&mut dev.0);
    drop(rest);
    signal(dev.0.id(), Signal::TERM);
    assert_eq!(ended(&mut dev.0).code(), Some(0));
    assert!(!data.exists(), "the temporary directory is removed");
}

#[test]
fn the_nodes_of_dev_do_not_outlive_it_and_its_directory_serves_again() {
    let directory = tempfile::tempdir().unwrap();
    let listen = free_ports();
    let mut command = ipamd();
    command.args([
        "dev",
        "--nodes",
        "1",
        "--listen",
        &listen.to_string(),
        "--data-dir",
    ]);
    command.arg(directory.path());
    for kept in [false, true] {
        let mut dev = Running(command.spawn().unwrap());
        let guide = read_guide(&mut dev.0);
        let claimed = exchange(listen, &printed_request(&guide)).unwrap();
        let expected = if kept { "HTTP/1.1 200" } else { "HTTP/1.1 201" };
        assert!(claimed.starts_with(expected), "{claimed}");
        signal(dev.0.id(), Signal::KILL);
        ended(&mut dev.0);
        until("the end of the node", || {
            has_ended(guide.processes[0]).then_some(())
        });
    }
}
