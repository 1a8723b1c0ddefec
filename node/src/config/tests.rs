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
    Settings::complete(from_switches(arguments).or(file))
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
        (
            &["--connections-max=9"],
            "connections-max = 7",
            |s| s.limits.connections_max.to_string(),
            "9",
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
        (&["--listen", "192.0.2.1:80"], "", "listen is 192.0.2.1:80"),
        (
            &["--listen", "0.0.0.0:80", "--insecure=false"],
            "insecure = true",
            "say --insecure",
        ),
        (&["--peer-listen", "[::]:80"], "", "peer-listen is [::]:80"),
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
