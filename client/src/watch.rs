//! A watch: events in order, each once, whichever nodes come and go meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use api::views::{EVENT_STREAM, WatchEvent, WatchObject, WatchType};
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, sleep_until, timeout};

use crate::call::retry_after;
use crate::endpoints::Schedule;
use crate::request::{Request, Safety};
use crate::verdict::{Again, Attempt, Cause, Verdict, verdict};
use crate::{Client, Error};

/// A node that says nothing for so long, not even that nothing has happened, is given up.
const SILENCE_MAX: Duration = Duration::from_secs(35);
/// Longest event that is read, in bytes.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// A watch that is under way. It goes on at another endpoint where the one that it was at breaks off.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    request: Request,
    /// Id of the event that was told last.
    last: Option<String>,
    stream: Option<Stream>,
    /// Which endpoint is asked next, kept until an event comes: one that lets every stream end at once
    /// is not asked again at once.
    schedule: Option<Schedule>,
    told: VecDeque<(Option<String>, WatchEvent)>,
}

/// The stream from one endpoint.
#[derive(Debug)]
struct Stream {
    endpoint: usize,
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Watch {
    pub(crate) fn new(client: Client, request: Request) -> Self {
        Self {
            client,
            request,
            last: None,
            stream: None,
            schedule: None,
            told: VecDeque::new(),
        }
    }

    /// The next event, bookmarks among them. It waits for it as long as some endpoint serves.
    ///
    /// # Errors
    /// [`Error::Refused`] where the watch cannot go on: what comes next is kept no more (410
    /// `compacted`), or the tenant is not there. [`Error::Unreachable`] and the like where no endpoint
    /// served for as long as a call may take.
    pub async fn next(&mut self) -> Result<WatchEvent, Error> {
        loop {
            if let Some((id, event)) = self.told.pop_front() {
                if let (WatchType::Compacted, Some(WatchObject::Problem(problem))) =
                    (event.kind, &event.object)
                {
                    return Err(Error::Refused(problem.clone()));
                }
                self.last = id.or(self.last.take());
                return Ok(event);
            }
            let Some(stream) = &mut self.stream else {
                self.stream = Some(self.open().await?);
                continue;
            };
            if let Ok(Ok(Some(bytes))) = timeout(SILENCE_MAX, stream.response.chunk()).await {
                let endpoint = stream.endpoint;
                stream.buffer.extend_from_slice(&bytes);
                let told = take_events(&mut stream.buffer);
                let told = told.map_err(|reason| self.unexpected(endpoint, reason))?;
                if !told.is_empty() {
                    self.schedule = None;
                }
                self.told.extend(told);
                continue;
            }
            // It ended, broke or fell silent: somebody goes on from the last event.
            if let Some(schedule) = &mut self.schedule {
                schedule.failed(stream.endpoint, None, Instant::now());
            }
            self.stream = None;
        }
    }

    fn unexpected(&self, endpoint: usize, reason: String) -> Error {
        Error::Unexpected {
            endpoint: self.client.shared.endpoint(endpoint).to_owned(),
            status: 200,
            reason,
        }
    }

    /// Asks the endpoints in turn until one serves, for as long as a call may take.
    async fn open(&mut self) -> Result<Stream, Error> {
        let shared = &*self.client.shared;
        let deadline = Instant::now() + self.client.deadline;
        let schedule = self.schedule.get_or_insert_with(|| {
            Schedule::new(shared.endpoint_count(), shared.preferred(), Instant::now())
        });
        loop {
            let (index, at) = schedule.next();
            sleep_until(at.min(deadline)).await;
            let opening = opened(shared.open(index, &self.request, self.last.as_deref()));
            let verdict = match timeout(shared.attempt_timeout(), opening).await {
                Ok(Opened::Stream(response)) => {
                    shared.prefer(index);
                    return Ok(Stream {
                        endpoint: index,
                        response,
                        buffer: Vec::new(),
                    });
                }
                Ok(Opened::Other(attempt)) => verdict(attempt, Safety::Read),
                Err(_) => Verdict::Again(Again {
                    perhaps_done: false,
                    wait: None,
                    cause: Cause::Foreign(408, "no answer came in time".to_owned()),
                }),
            };
            let endpoint = shared.endpoint(index);
            let again = match verdict {
                Verdict::Refused(problem) => return Err(Error::Refused(problem)),
                Verdict::Unexpected(status, reason) => {
                    return Err(crate::call::unexpected(endpoint, status, reason));
                }
                Verdict::Unknown(cause) => return Err(crate::call::unknown(endpoint, cause)),
                Verdict::Good(status, _) => {
                    let reason = "no stream of events".to_owned();
                    return Err(crate::call::unexpected(endpoint, status, reason));
                }
                Verdict::Again(again) => again,
            };
            schedule.failed(index, again.wait, Instant::now());
            if schedule.next().1 >= deadline {
                return Err(crate::call::gave_up(endpoint, again.cause));
            }
        }
    }
}

/// What an endpoint answered with.
enum Opened {
    /// A stream of events, as far as its head says.
    Stream(reqwest::Response),
    /// Anything else, read to its end.
    Other(Attempt),
}

/// Sends the request, and reads what is no stream.
async fn opened(sent: impl Future<Output = reqwest::Result<reqwest::Response>>) -> Opened {
    let response = match sent.await {
        Ok(response) => response,
        Err(error) => return Opened::Other(Attempt::BrokeOff(error)),
    };
    let status = response.status().as_u16();
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // The media type may have parameters.
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if status == 200 && media_type.eq_ignore_ascii_case(EVENT_STREAM) {
        return Opened::Stream(response);
    }
    let retry_after = retry_after(&response);
    Opened::Other(match response.bytes().await {
        Ok(body) => Attempt::Answered {
            status,
            retry_after,
            body,
        },
        Err(error) => Attempt::BrokeOff(error),
    })
}

/// Takes the whole events off the front of what was read, with their ids.
fn take_events(buffer: &mut Vec<u8>) -> Result<Vec<(Option<String>, WatchEvent)>, String> {
    let mut events = Vec::new();
    let mut taken = 0;
    while let Some(length) = end_of_event(&buffer[taken..]) {
        let text = std::str::from_utf8(&buffer[taken..taken + length])
            .map_err(|error| error.to_string())?;
        taken += length;
        events.extend(event_of(text)?);
    }
    buffer.drain(..taken);
    if buffer.len() > EVENT_BYTES_MAX {
        return Err(format!("an event of more than {EVENT_BYTES_MAX} bytes"));
    }
    Ok(events)
}

fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    Some(end + 2)
}

/// The event of some lines; `None` where they are a comment.
fn event_of(text: &str) -> Result<Option<(Option<String>, WatchEvent)>, String> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let Some(data) = field("data: ") else {
        return Ok(None);
    };
    let event = serde_json::from_str(data).map_err(|error| error.to_string())?;
    Ok(Some((field("id: ").map(str::to_owned), event)))
}
