//! Where the cluster is and who asks: switches, then variables, then the configuration file. A variable that is
//! empty is as one that is not set.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allocator::name::Name;
use client::{Client, Consistency, Options};
use serde::Deserialize;

use crate::args::Global;
use crate::failure::Failure;

/// Where a node listens when nothing else is said.
const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:7400";

/// The configuration file: `$XDG_CONFIG_HOME/ipamctl/config.toml`, else under `~/.config`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    /// Base URLs of nodes.
    #[serde(default)]
    endpoints: Vec<String>,
    /// The tenant where none is named.
    tenant: Option<String>,
    /// File with a bearer token.
    token_file: Option<PathBuf>,
}

/// The variables; one that is empty is not set.
#[derive(Debug, Default)]
struct Variables {
    /// `IPAMCTL_ENDPOINTS`, divided by commas.
    endpoints: Vec<String>,
    /// `IPAMCTL_TENANT`
    tenant: Option<String>,
    /// `IPAMCTL_TOKEN_FILE`
    token_file: Option<PathBuf>,
}

impl Variables {
    fn read(value_of: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let given = |name: &str| value_of(name).filter(|value| !value.is_empty());
        let text = |name: &str| match given(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(Failure::Usage(format!("{name} is not UTF-8"))),
        };
        let endpoints = text("IPAMCTL_ENDPOINTS")?.unwrap_or_default();
        let endpoints = endpoints.split(',').filter(|one| !one.is_empty());
        Ok(Self {
            endpoints: endpoints.map(str::to_owned).collect(),
            tenant: text("IPAMCTL_TENANT")?,
            token_file: given("IPAMCTL_TOKEN_FILE").map(PathBuf::from),
        })
    }
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Settings {
    /// At least one.
    pub(crate) endpoints: Vec<String>,
    token: Option<String>,
    deadline: Duration,
    tenant: Option<Name>,
}

impl Settings {
    /// From the switches and variables in `global`, and the configuration file.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let file = match config_path() {
            Some(path) => read_config(&path)?,
            None => ConfigFile::default(),
        };
        let variables = Variables::read(|name| env::var_os(name))?;
        Self::resolve(global, &variables, &file)
    }

    fn resolve(global: &Global, variables: &Variables, file: &ConfigFile) -> Result<Self, Failure> {
        let endpoints = [&global.endpoint, &variables.endpoints, &file.endpoints]
            .into_iter()
            .find(|list| !list.is_empty());
        let tenant = match (&global.tenant, &variables.tenant, &file.tenant) {
            (Some(tenant), ..) => Some(tenant.clone()),
            (None, Some(text), _) => Some(Name::new(text).map_err(|error| {
                Failure::Usage(format!("IPAMCTL_TENANT is {text:?}, which is {error}"))
            })?),
            (None, None, Some(text)) => Some(Name::new(text).map_err(|error| {
                Failure::File(format!(
                    "the configuration file says tenant = {text:?}, which is {error}"
                ))
            })?),
            (None, None, None) => None,
        };
        let token_file = global.token_file.as_ref();
        let token_file = token_file.or(variables.token_file.as_ref());
        let token_file = token_file.or(file.token_file.as_ref());
        Ok(Self {
            endpoints: endpoints
                .cloned()
                .unwrap_or_else(|| vec![ENDPOINT_DEFAULT.to_owned()]),
            token: token_file.map(|path| read_token(path)).transpose()?,
            deadline: Duration::from_secs(global.timeout),
            tenant,
        })
    }

    /// A client of all endpoints.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.client_of(&self.endpoints)
    }

    /// A client of these endpoints only. People want to see what is, so it reads linearizable.
    pub(crate) fn client_of(&self, endpoints: &[String]) -> Result<Client, Failure> {
        let options = Options {
            token: self.token.clone(),
            deadline: self.deadline,
            consistency: Consistency::Linearizable,
            ..Options::new(endpoints)
        };
        Ok(Client::new(&options)?)
    }

    /// The tenant, for commands that can do without one.
    pub(crate) fn stated_tenant(&self) -> Option<&Name> {
        self.tenant.as_ref()
    }

    /// The tenant, for commands that need one.
    pub(crate) fn tenant(&self) -> Result<&Name, Failure> {
        self.tenant.as_ref().ok_or_else(|| {
            let reason = "no tenant: give --tenant, set IPAMCTL_TENANT, or write tenant = \"…\" in the configuration file";
            Failure::Usage(reason.to_owned())
        })
    }
}

fn config_path() -> Option<PathBuf> {
    let given = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let directory =
        given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")))?;
    Some(directory.join("ipamctl").join("config.toml"))
}

/// A file that is not there is an empty one; one that cannot be read is an error.
fn read_config(path: &Path) -> Result<ConfigFile, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| {
            Failure::File(format!(
                "{} is not a configuration: {error}",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ConfigFile::default()),
        Err(source) => Err(Failure::Local {
            what: format!("cannot read {}", path.display()),
            source,
        }),
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(Failure::Local {
            what: format!("cannot read the token in {}", path.display()),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global() -> Global {
        Global {
            endpoint: Vec::new(),
            tenant: None,
            token_file: None,
            timeout: 15,
            ..Global::default()
        }
    }

    fn file(text: &str) -> ConfigFile {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn switches_win_over_the_file_and_the_file_over_the_default() {
        let full = "endpoints = [\"http://a:1\", \"http://b:1\"]\ntenant = \"acme\"";
        let unset = Variables::default();
        let from_file = Settings::resolve(&global(), &unset, &file(full)).unwrap();
        assert_eq!(from_file.endpoints, ["http://a:1", "http://b:1"]);
        assert_eq!(from_file.tenant().unwrap().as_str(), "acme");
        let switches = Global {
            endpoint: vec!["http://c:1".to_owned()],
            tenant: Name::new("umbrella").ok(),
            ..global()
        };
        let variables = variables(&[
            ("IPAMCTL_ENDPOINTS", "http://d:1,http://e:1"),
            ("IPAMCTL_TENANT", "initech"),
        ])
        .unwrap();
        let from_variables = Settings::resolve(&global(), &variables, &file(full)).unwrap();
        assert_eq!(from_variables.endpoints, ["http://d:1", "http://e:1"]);
        assert_eq!(from_variables.tenant().unwrap().as_str(), "initech");
        let from_switches = Settings::resolve(&switches, &variables, &file(full)).unwrap();
        assert_eq!(from_switches.endpoints, ["http://c:1"]);
        assert_eq!(from_switches.tenant().unwrap().as_str(), "umbrella");
        let nothing = Settings::resolve(&global(), &unset, &ConfigFile::default()).unwrap();
        assert_eq!(nothing.endpoints, [ENDPOINT_DEFAULT]);
        assert_eq!(nothing.tenant().unwrap_err().exit_code(), 2);
    }

    fn variables(set: &[(&str, &str)]) -> Result<Variables, Failure> {
        Variables::read(|name| {
            let found = set.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_variable_that_is_empty_is_not_set() {
        let empty = variables(&[
            ("IPAMCTL_ENDPOINTS", ""),
            ("IPAMCTL_TENANT", ""),
            ("IPAMCTL_TOKEN_FILE", ""),
        ])
        .unwrap();
        let full = "endpoints = [\"http://a:1\"]\ntenant = \"acme\"";
        let settings = Settings::resolve(&global(), &empty, &file(full)).unwrap();
        assert_eq!(settings.endpoints, ["http://a:1"]);
        assert_eq!(settings.tenant().unwrap().as_str(), "acme");
        assert!(settings.token.is_none());
        let odd = variables(&[("IPAMCTL_TENANT", "a b")]).unwrap();
        let refused = Settings::resolve(&global(), &odd, &file(full)).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{refused}");
    }

    #[test]
    fn a_file_of_another_form_is_an_error_and_a_missing_one_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        assert_eq!(read_config(&path).unwrap(), ConfigFile::default());
        for bad in [
            "endpoint = \"http://a:1\"",
            "endpoints = \"http://a:1\"",
            "=",
            "tenant = 7",
        ] {
            fs::write(&path, bad).unwrap();
            assert_eq!(read_config(&path).unwrap_err().exit_code(), 1, "{bad}");
        }
        let unset = Variables::default();
        let odd = Settings::resolve(&global(), &unset, &file("tenant = \"a b\"")).unwrap_err();
        assert_eq!(odd.exit_code(), 1);
    }

    #[test]
    fn the_file_that_the_documentation_shows_is_read() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ipamctl.md");
        let page = fs::read_to_string(page).unwrap();
        let example = page.split("```toml\n").nth(1).unwrap();
        let shown = file(example.split("```").next().unwrap());
        assert_eq!(shown.endpoints.len(), 2);
        assert!(shown.tenant.is_some() && shown.token_file.is_some());
    }

    #[test]
    fn a_token_is_the_text_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, "secret\n").unwrap();
        assert_eq!(read_token(&path).unwrap(), "secret");
        assert_eq!(
            read_token(&directory.path().join("none"))
                .unwrap_err()
                .exit_code(),
            1
        );
    }
}
