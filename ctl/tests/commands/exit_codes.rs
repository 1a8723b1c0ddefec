//! The exit codes that scripts see, each at least once.

use std::process::Stdio;

use api::Problem;
use api::problem::Code;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::node::Node;
use super::{acme, problem, run, tenant};

#[tokio::test]
async fn each_code_but_that_of_an_abort() {
    let show = "GET /v1/tenants/acme?consistency=linearizable";
    let refused = |code| {
        let refusal = Problem::new(code, "no");
        (refusal.status, problem(&refusal))
    };
    let table = [
        (0, (200, tenant("acme"))),
        (1, refused(Code::InternalError)),
        (3, refused(Code::QuotaExceeded)),
        (4, refused(Code::TenantNotFound)),
        (5, refused(Code::AlreadyExists)),
        (6, refused(Code::InvalidField)),
        (7, refused(Code::PoolExhausted)),
        (8, refused(Code::NoLeader)),
    ];
    for (code, (status, body)) in table {
        let node = Node::start([(show, status, body)]).await;
        let outcome = acme(&node, "--timeout 1 tenant show acme").await;
        assert_eq!(outcome.code, code, "{}", outcome.stderr);
    }
    let usage = run("http://127.0.0.1:1", "tenant show", &[]).await;
    assert_eq!(usage.code, 2, "{}", usage.stderr);
}

#[tokio::test]
async fn what_is_interrupted_is_aborted() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = Command::new(env!("CARGO_BIN_EXE_ipamctl"))
        .env_clear()
        .args(["--endpoint", &url, "tenant", "list"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has asked it waits for the answer, and for Ctrl-C.
    let (mut connection, _) = silent.accept().await.unwrap();
    connection.read_u8().await.unwrap();
    let interrupt = format!("kill -INT {}", child.id().unwrap());
    let sent = Command::new("sh").args(["-c", &interrupt]).status().await;
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), told.as_str()),
        (Some(9), "error: aborted\n")
    );
}
