//! Precedence, refusals and defaults, as tables.

use clap::{Args, Parser};

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    switches: ServeSwitches,
}

const COMPLETE: &str = r#"
    node-id = 2
    data-dir = "/var/lib/ipamd"
    listen = "127.0.0.1:7400"
    peer-listen = "127.0.0.1:7401"
    cluster = "1=a:7401,2=b:7401,3=c:7401"
"#;

fn from_switches(arguments: &[&str]) -> ServeSwitches {
    Command::try_parse_from([&["ipamd"], arguments].concat())
        .unwrap()
        .switches
}

fn with_file(arguments: &[&str], file: &str) -> Result<Settings, ConfigError> {
    let file = ServeSwitches::from_toml(file).map_err(|reason| ConfigError::FileInvalid {
        path: "ipamd.toml".into(),
        reason,
    })?;
    Settings::complete(from_switches(arguments).or(file), "ipamd-1")
}

#[test]
fn a_switch_wins_over_the_file_and_the_file_over_the_default() {
    /// Switches, file, what is looked at, what it is.
    type Case<'a> = (&'a [&'a str], &'a str, fn(&Settings) -> String, &'a str);
    let cases: &[Case<'_>] = &[
        (&[], "", |s| s.node_id.to_string(), "2"),
        (&["--node-id", "3"], "", |s| s.node_id.to_string(), "3"),
        (&[], "", |s| s.log_filter.clone(), "info,openraft=warn"),
        (
            &[],
            "log-filter = \"warn\"",
            |s| s.log_filter.clone(),
            "warn",
        ),
        (
            &["--log-filter", "debug"],
            "log-filter = \"warn\"",
            |s| s.log_filter.clone(),
            "debug",
        ),
        (&[], "", |s| format!("{:?}", s.log_format), "Text"),
        (
            &[],
            "log-format = \"json\"",
            |s| format!("{:?}", s.log_format),
            "Json",
        ),
        (
            &["--log-format", "text"],
            "log-format = \"json\"",
            |s| format!("{:?}", s.log_format),
            "Text",
        ),
        (
            &[],
            "profile = \"slow-disk\"",
            |s| format!("{:?}", s.profile),
            "SlowDisk",
        ),
        (
            &["--profile", "default"],
            "profile = \"slow-disk\"",
            |s| format!("{:?}", s.profile),
            "Default",
        ),
        (&[], "", |s| s.advertise.clone(), "http://127.0.0.1:7400"),
        (
            &[],
            "advertise = \"https://x/\"",
            |s| s.advertise.clone(),
            "https://x",
        ),
        (
            &["--insecure", "--listen", "0.0.0.0:80"],
            "",
            |s| s.advertise.clone(),
            "http://b:80",
        ),
        (
            &["--listen", "0.0.0.0:80"],
            "insecure = true",
            |s| s.listen.to_string(),
            "0.0.0.0:80",
        ),
        (
            &[],
            "request-timeout-ms = 250",
            |s| s.limits.request_deadline.as_millis().to_string(),
            "250",
        ),
        (
            &[],
            "requests-in-flight-max = 7",
            |s| s.limits.requests_in_flight_max.to_string(),
            "7",
        ),
        (&[], "", |s| s.limits.test_clock.to_string(), "false"),
        (
            &["--insecure"],
            "test-clock = true",
            |s| s.limits.test_clock.to_string(),
            "true",
        ),
        (
            &["--connections-max=9"],
            "connections-max = 7",
            |s| s.limits.connections_max.to_string(),
            "9",
        ),
        (
            &[],
            "watches-max = 7",
            |s| s.limits.watches_max.to_string(),
            "7",
        ),
    ];
    for (arguments, extra, show, expected) in cases {
        let settings = with_file(arguments, &format!("{COMPLETE}\n{extra}")).unwrap();
        assert_eq!(show(&settings), *expected, "{arguments:?} over {extra:?}");
    }
}

#[test]
fn every_switch_has_its_variable_and_its_key() {
    let command = ServeSwitches::augment_args(clap::Command::new("ipamd"));
    let unknown = ServeSwitches::from_toml("no-such-key = 1").unwrap_err();
    assert!(unknown.contains("no-such-key"), "{unknown}");
    for argument in command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
    {
        let switch = argument.get_long().unwrap();
        let expected = variable(switch);
        assert_eq!(
            argument.get_env().and_then(|name| name.to_str()),
            Some(expected.as_str())
        );
        assert!(
            switch == "config" || unknown.contains(&format!("`{switch}`")),
            "{switch} is no key: {unknown}"
        );
    }
}

#[test]
fn a_wrong_setting_is_refused_by_name() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "colour = 1", "unknown field `colour`"),
        (&[], "listen = 7400", "listen"),
        (&[], "cluster = \"1=a\"", "has no port"),
        (&["--node-id", "0"], "", "node-id is 0"),
        (&["--advertise", "ftp://x"], "", "advertise is ftp://x"),
        (
            &["--request-timeout-ms", "1"],
            "",
            "request-timeout-ms is 1; allowed is 10 to 600000",
        ),
        (
            &["--requests-in-flight-max", "0"],
            "",
            "requests-in-flight-max is 0",
        ),
        (&["--connections-max", "0"], "", "connections-max is 0"),
        (
            &["--connections-max", "18446744073709551615"],
            "",
            "connections-max is 18446744073709551615; allowed is 1 to 1000000",
        ),
        (
            &["--requests-in-flight-max", "1000001"],
            "",
            "requests-in-flight-max is 1000001",
        ),
        (&["--listen", "192.0.2.1:80"], "", "listen is 192.0.2.1:80"),
        (
            &["--listen", "0.0.0.0:80", "--insecure=false"],
            "insecure = true",
            "say --insecure",
        ),
        (&["--peer-listen", "[::]:80"], "", "peer-listen is [::]:80"),
        (&["--test-clock"], "", "only beside --insecure"),
        (&[], "test-clock = true", "only beside --insecure"),
    ];
    for (arguments, extra, expected) in cases {
        // A key may stand once only, so the extra line replaces the complete file's.
        let key = extra.split(' ').next().filter(|key| !key.is_empty());
        let kept = COMPLETE
            .lines()
            .filter(|line| !key.is_some_and(|key| line.trim().starts_with(key)));
        let file = kept.chain([*extra]).collect::<Vec<_>>().join("\n");
        let error = with_file(arguments, &file).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{arguments:?} over {extra:?}: {error}"
        );
    }
}

#[test]
fn what_has_no_default_is_asked_for_with_all_three_ways_to_give_it() {
    for switch in ["node-id", "data-dir", "listen", "peer-listen", "cluster"] {
        let file = COMPLETE
            .lines()
            .filter(|line| !line.trim().starts_with(switch))
            .collect::<Vec<_>>()
            .join("\n");
        let error = with_file(&[], &file).unwrap_err().to_string();
        assert!(error.contains(&format!("--{switch}")), "{error}");
        assert!(error.contains(&variable(switch)), "{error}");
    }
}

#[test]
fn a_list_of_members_is_parsed_or_refused_with_the_item() {
    let good = "2=[::1]:7401, 1=host.example:7401"
        .parse::<Members>()
        .unwrap();
    assert_eq!(
        good.iter().collect::<Vec<_>>(),
        [(1, "host.example:7401"), (2, "[::1]:7401")]
    );
    assert_eq!(good.host(2), Some("[::1]"));
    for (text, expected) in [
        ("", "has no `=`"),
        ("1", "`1` has no `=`"),
        ("0=a:1", "has no id from 1"),
        ("x=a:1", "has no id from 1"),
        ("1=a", "has no port"),
        ("1=a:0", "has no port from 1"),
        ("1=a:70000", "has no port from 1"),
        ("1=::1:7401", "brackets"),
        ("1=:7401", "has no host"),
        ("1=a:1,1=b:1", "node 1 is there twice"),
        ("1=a:1,2=a:1", "a:1 is there twice"),
    ] {
        let error = text.parse::<Members>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_missing_file_is_not_an_empty_one() {
    let switches = from_switches(&["--config", "/nonexistent/ipamd.toml"]);
    assert!(matches!(
        Settings::resolve(switches),
        Err(ConfigError::FileUnreadable { .. })
    ));
}

/// What all pods are told alike.
const POD: &str = r#"
    data-dir = "/var/lib/ipamd"
    listen = "0.0.0.0:7400"
    peer-listen = "0.0.0.0:7401"
    insecure = true
    cluster-dns = "peers.ipam.svc:7401"
    replicas = 3
"#;

fn pod(arguments: &[&str], host_name: &str) -> Result<Settings, ConfigError> {
    let file = ServeSwitches::from_toml(POD).unwrap();
    Settings::complete(from_switches(arguments).or(file), host_name)
}

#[test]
fn a_pod_finds_its_place_by_its_name() {
    let named = [
        (1, "ipamd-0.peers.ipam.svc:7401"),
        (2, "ipamd-1.peers.ipam.svc:7401"),
        (3, "ipamd-2.peers.ipam.svc:7401"),
    ];
    // Host name, switches, id, URL. The last two are beyond the replicas: not named, never forming.
    let cases: [(&str, &[&str], u64, &str); 5] = [
        ("ipamd-0", &[], 1, "http://ipamd-0.peers.ipam.svc:7400"),
        (
            "ipamd-2",
            &["--node-id", "3"],
            3,
            "http://ipamd-2.peers.ipam.svc:7400",
        ),
        (
            "ipamd-1.peers.ipam.svc",
            &[],
            2,
            "http://ipamd-1.peers.ipam.svc:7400",
        ),
        ("ipamd-3", &[], 4, "http://ipamd-3.peers.ipam.svc:7400"),
        ("ipamd-10", &[], 11, "http://ipamd-10.peers.ipam.svc:7400"),
    ];
    for (host_name, arguments, node_id, advertise) in cases {
        let settings = pod(arguments, host_name).unwrap();
        assert_eq!(settings.node_id, node_id, "{host_name}");
        assert_eq!(settings.advertise, advertise, "{host_name}");
        assert_eq!(
            settings.cluster.iter().collect::<Vec<_>>(),
            named,
            "{host_name}"
        );
    }
    // A host name without an ordinal: the set is taken to have the service's name.
    let by_id = pod(&["--node-id", "2"], "worker").unwrap();
    assert_eq!(by_id.cluster.host(2), Some("peers-1.peers.ipam.svc"));
}

#[test]
fn a_pod_that_cannot_know_its_place_is_refused() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("worker", &[], "`worker` does not end in -ORDINAL"),
        ("ipamd-x", &[], "does not end in -ORDINAL"),
        ("ipamd-0", &["--node-id", "2"], "not the ordinal"),
        ("ipamd-0", &["--cluster", "1=a:1"], "both given"),
        (
            "ipamd-0",
            &["--replicas", "0"],
            "replicas is 0; allowed is 1 to 9",
        ),
        ("ipamd-0", &["--replicas", "10"], "replicas is 10"),
    ];
    for (host_name, arguments, expected) in cases {
        let error = pod(arguments, host_name).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{host_name} {arguments:?}: {error}"
        );
    }
    for (extra, expected) in [
        ("replicas = 3", "replicas is given without cluster-dns"),
        ("cluster-dns = \"a\"", "has no port"),
    ] {
        let error = with_file(&[], &format!("{COMPLETE}\n{extra}")).unwrap_err();
        assert!(error.to_string().contains(expected), "{extra}: {error}");
    }
    let alone = from_switches(&["--cluster-dns", "a:1", "--node-id", "1"]);
    let error = Settings::complete(alone, "ipamd-0")
        .unwrap_err()
        .to_string();
    assert!(error.contains("--replicas"), "{error}");
}
