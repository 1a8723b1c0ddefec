//! One call: attempts until there is a final answer or the deadline has come.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use api::headers;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use crate::endpoints::Schedule;
use crate::request::{Request, Safety};
use crate::verdict::{Attempt, Cause, Verdict, verdict};
use crate::{Answer, Client, Consistency, Error, InvalidOptions, Options};

/// What clones of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    http: reqwest::Client,
    /// Base URLs without a slash at the end.
    endpoints: Vec<String>,
    attempt_timeout: Duration,
    /// The endpoint that answered last.
    preferred: AtomicUsize,
    /// The highest revision seen.
    revision: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Result<Self, InvalidOptions> {
        if options.endpoints.is_empty() {
            return Err(InvalidOptions::NoEndpoint);
        }
        let endpoints: Result<Vec<String>, InvalidOptions> =
            options.endpoints.iter().map(|one| base_url(one)).collect();
        let mut headers = HeaderMap::new();
        if let Some(token) = &options.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| InvalidOptions::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Endpoints are named by the operator; a proxy of the environment would come between nodes.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(options.connect_timeout)
            .tcp_nodelay(true)
            .default_headers(headers)
            .build()
            .map_err(InvalidOptions::Http)?;
        Ok(Self {
            http,
            endpoints: endpoints?,
            attempt_timeout: options.attempt_timeout,
            preferred: AtomicUsize::new(0),
            revision: AtomicU64::new(0),
        })
    }

    pub(crate) fn revision_seen(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    pub(crate) fn endpoint(&self, index: usize) -> &str {
        &self.endpoints[index]
    }

    pub(crate) fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// The endpoint that answered last.
    pub(crate) fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        self.attempt_timeout
    }

    pub(crate) fn prefer(&self, index: usize) {
        self.preferred.store(index, Ordering::Relaxed);
    }

    /// Sends a request whose answer has no end, and waits for the answer's head.
    pub(crate) async fn open(
        &self,
        index: usize,
        request: &Request,
        last_event_id: Option<&str>,
    ) -> reqwest::Result<reqwest::Response> {
        let target = format!("{}{}", self.endpoints[index], request.target());
        let mut builder = self.http.request(request.method.clone(), target);
        let seen = self.revision_seen();
        if seen > 0 {
            builder = builder.header(headers::IF_MIN_REVISION, seen);
        }
        if let Some(id) = last_event_id {
            builder = builder.header(headers::LAST_EVENT_ID, id);
        }
        builder.send().await
    }

    async fn attempt(
        &self,
        base: &str,
        request: &Request,
        timeout: Duration,
    ) -> (Attempt, Option<u64>) {
        let mut builder = self.http.request(
            request.method.clone(),
            format!("{base}{}", request.target()),
        );
        for (name, value) in &request.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let response = match builder.timeout(timeout).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return (Attempt::NotSent(error), None);
            }
            Err(error) => return (Attempt::BrokeOff(error), None),
        };
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let revision = number(response.headers(), headers::IPAM_REVISION);
        match response.bytes().await {
            Ok(body) => (
                Attempt::Answered {
                    status,
                    retry_after,
                    body,
                },
                revision,
            ),
            Err(error) => (Attempt::BrokeOff(error), None),
        }
    }
}

/// Why a call failed, and what came before.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// An attempt before the last one was perhaps done, so that a refusal may be of what is done already.
    pub(crate) perhaps_done: bool,
    /// The endpoint of the last attempt.
    pub(crate) endpoint: String,
}

impl Client {
    /// A read of the state.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<Answer<T>, Error> {
        let request = match self.consistency {
            Consistency::Linearizable => request.query("consistency", Some("linearizable")),
            Consistency::Local => {
                let seen = self.revision_seen();
                request.header(headers::IF_MIN_REVISION, (seen > 0).then_some(seen))
            }
        };
        self.call(request).await
    }

    /// A mutation of the state.
    pub(crate) async fn mutate<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<Answer<T>, Error> {
        self.call(self.mutation(request)).await
    }

    /// A mutation, whose refusal may be that of a repeat.
    pub(crate) async fn mutate_told<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<Answer<T>, Failed> {
        self.call_told(self.mutation(request)).await
    }

    fn mutation(&self, mut request: Request) -> Request {
        if self.dry_run {
            request = request.query("dryRun", Some(true));
            request.safety = Safety::Read;
        }
        request
    }

    /// Any request.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<Answer<T>, Error> {
        let answer = self.call_told(request).await;
        answer.map_err(|failed| failed.error)
    }

    /// Any request; of one that fails also what came before.
    async fn call_told<T: DeserializeOwned>(&self, request: Request) -> Result<Answer<T>, Failed> {
        let shared = &*self.shared;
        let deadline = Instant::now() + self.deadline;
        let mut schedule =
            Schedule::new(shared.endpoint_count(), shared.preferred(), Instant::now());
        let mut perhaps_done = false;
        loop {
            let (index, at) = schedule.next();
            sleep_until(at.min(deadline)).await;
            let remaining = deadline.saturating_duration_since(Instant::now());
            let timeout = match request.safety {
                Safety::Read | Safety::Repeatable => remaining.min(shared.attempt_timeout),
                Safety::Once => remaining,
            };
            let endpoint = &shared.endpoints[index];
            let (attempt, revision) = shared.attempt(endpoint, &request, timeout).await;
            if let Some(revision) = revision {
                shared.revision.fetch_max(revision, Ordering::Relaxed);
            }
            let failed = |error, perhaps_done| Failed {
                error,
                perhaps_done,
                endpoint: endpoint.clone(),
            };
            let again = match verdict(attempt, request.safety) {
                Verdict::Good(status, body) => {
                    shared.prefer(index);
                    return match serde_json::from_slice(&body) {
                        Ok(body) => Ok(Answer {
                            status,
                            revision,
                            body,
                        }),
                        Err(error) => {
                            let error = unexpected(endpoint, status, error.to_string());
                            Err(failed(error, perhaps_done))
                        }
                    };
                }
                Verdict::Refused(problem) => {
                    shared.prefer(index);
                    return Err(failed(Error::Refused(problem), perhaps_done));
                }
                Verdict::Unexpected(status, reason) => {
                    return Err(failed(unexpected(endpoint, status, reason), perhaps_done));
                }
                Verdict::Unknown(cause) => return Err(failed(unknown(endpoint, cause), true)),
                Verdict::Again(again) => again,
            };
            perhaps_done |= again.perhaps_done;
            schedule.failed(index, again.wait, Instant::now());
            if schedule.next().1 >= deadline {
                let error = if perhaps_done {
                    unknown(endpoint, again.cause)
                } else {
                    gave_up(endpoint, again.cause)
                };
                return Err(failed(error, perhaps_done));
            }
        }
    }
}

/// Something answered that is not of this API.
pub(crate) fn unexpected(endpoint: &str, status: u16, reason: String) -> Error {
    Error::Unexpected {
        endpoint: endpoint.to_owned(),
        status,
        reason,
    }
}

/// The write may have been done, or may yet be.
pub(crate) fn unknown(endpoint: &str, cause: Cause) -> Error {
    let (problem, source) = match cause {
        Cause::Problem(problem) => (Some(problem), None),
        Cause::Connection(source) => (None, Some(source)),
        Cause::Foreign(..) => (None, None),
    };
    Error::OutcomeUnknown {
        endpoint: endpoint.to_owned(),
        problem,
        source,
    }
}

/// The last word before the deadline, of a request that was certainly not done.
pub(crate) fn gave_up(endpoint: &str, cause: Cause) -> Error {
    match cause {
        Cause::Problem(problem) => Error::Refused(problem),
        Cause::Foreign(status, reason) => unexpected(endpoint, status, reason),
        Cause::Connection(source) => Error::Unreachable {
            endpoint: endpoint.to_owned(),
            source,
        },
    }
}

/// `Retry-After`, where it is a number of seconds.
pub(crate) fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    number(response.headers(), RETRY_AFTER.as_str()).map(Duration::from_secs)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The URL without the slash at its end.
fn base_url(endpoint: &str) -> Result<String, InvalidOptions> {
    let refused = || InvalidOptions::Endpoint {
        endpoint: endpoint.to_owned(),
    };
    let url = reqwest::Url::parse(endpoint).map_err(|_| refused())?;
    let plain = url.scheme() == "http"
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if plain {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_url_and_nothing_more() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:7400", Some("http://127.0.0.1:7400")),
            ("http://[::1]:7400/", Some("http://[::1]:7400")),
            ("http://node-1", Some("http://node-1")),
            ("https://node-1", None),
            ("127.0.0.1:7400", None),
            ("http://node-1/v1", None),
            ("http://node-1?x=1", None),
            ("http://user@node-1", None),
            ("", None),
        ] {
            assert_eq!(base_url(endpoint).ok().as_deref(), expected, "{endpoint}");
        }
    }

    #[test]
    fn options_that_make_no_client_say_why() {
        let told = |options: Options| Client::new(&options).unwrap_err().to_string();
        assert_eq!(
            told(Options::new(Vec::<String>::new())),
            "no endpoint was given"
        );
        let token = Options {
            token: Some("a\nb".to_owned()),
            ..Options::new(["http://node-1"])
        };
        assert_eq!(
            told(token),
            "the token has characters other than printable ASCII"
        );
    }
}
