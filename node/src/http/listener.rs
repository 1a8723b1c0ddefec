//! Connections: HTTP/1.1 and HTTP/2 on one port, bounded in number and time.
//!
//! 1. The caller owns the socket and the moment of the end; [`run`] returns when the listener is
//!    closed and every connection has ended or been cut off.
//! 2. A connection that does not bring a whole request head in [`Limits::header_timeout`] is
//!    closed, whether it sends slowly or not at all.
//! 3. A connection whose client does not read what it is sent for [`Limits::unread_timeout`] is cut, so
//!    that it does not keep its place for ever.
//! 4. At most [`Limits::connections_max`] connections are open; more wait in the kernel's backlog.
//! 5. A connection of HTTP/1 whose request has become a watch goes on on a thread of its own kind, of low
//!    priority: however many watch, requests find the others free.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use super::Limits;
use crate::own_runtime::OwnRuntime;

/// Rest after an accept that failed for want of descriptors or memory: trying again at once would
/// only burn the processor.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Nice value of the thread for those who watch: they are to wait for claims, and not claims for them.
const WATCHERS_NICE: i32 = 5;

/// What a connection's requests tell whoever runs it.
#[derive(Debug, Clone, Default)]
pub(super) struct Note(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    heard: AtomicBool,
    watches: Notify,
}

impl Note {
    /// The connection is a watch from now on, and has no other requests.
    pub(super) fn watches(&self) {
        self.0.watches.notify_one();
    }
}

/// Serves until `shutdown` ends, then lets open requests finish, at most `limits.stop_timeout`.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let (stop, stopping) = watch::channel(false);
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let watchers = OwnRuntime::start("watchers", WATCHERS_NICE)
        .inspect_err(|error| tracing::warn!(%error, "watchers have no thread of their own"))
        .ok();
    let mut tasks = JoinSet::new();
    loop {
        let slot = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => { report(ended); continue }
            slot = Arc::clone(&connections).acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let (router, limits, stopping) = (router.clone(), limits.clone(), stopping.clone());
                let watchers = watchers.as_ref().map(|watchers| watchers.handle().clone());
                tasks.spawn(async move {
                    connection(stream, from, router, &limits, watchers, stopping).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drained = tokio::time::timeout(limits.stop_timeout, async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    })
    .await;
    if drained.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "connections did not end in time and are cut off"
        );
        tasks.shutdown().await;
    }
    if let Some(watchers) = watchers {
        watchers.stop().await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a connection failed");
    }
}

/// Lets the kernel end a connection whose peer acknowledges nothing, or has no room, for so long.
#[cfg(target_os = "linux")]
fn unread_timeout(stream: &TcpStream, timeout: Duration) -> std::io::Result<()> {
    let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds)?;
    Ok(())
}

/// Elsewhere there is no such option: the bounds on watches and connections are what is left.
#[cfg(not(target_os = "linux"))]
fn unread_timeout(_stream: &TcpStream, _timeout: Duration) -> std::io::Result<()> {
    Ok(())
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    limits: &Limits,
    watchers: Option<Handle>,
    mut stopping: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %from, "TCP_NODELAY was refused");
    }
    if let Err(error) = unread_timeout(&stream, limits.unread_timeout) {
        tracing::debug!(%error, %from, "TCP_USER_TIMEOUT was refused");
    }
    // Above the limit a head is answered with a problem, above this by hyper with a bare 431.
    let head_bytes = limits.head_bytes_max.saturating_mul(4).max(16 << 10);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(head_bytes)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.header_timeout))
        .keep_alive_timeout(limits.header_timeout)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX));
    let note = Note::default();
    let service = service_fn({
        let note = note.clone();
        move |request: hyper::Request<Incoming>| {
            note.0.heard.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(from));
            request.extensions_mut().insert(note.clone());
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        }
    });
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = Box::pin(serving.into_owned());
    // hyper's own time-out begins once it knows the version of HTTP, which takes the first bytes.
    let mut first_request = pin!(tokio::time::sleep(limits.header_timeout));
    let mut waiting_for_first = true;
    loop {
        tokio::select! {
            ended = serving.as_mut() => return tell_ended(ended, from),
            () = first_request.as_mut(), if waiting_for_first => {
                if !note.0.heard.load(Ordering::Relaxed) {
                    tracing::debug!(%from, "a connection sent no request in time");
                    return;
                }
                waiting_for_first = false;
            }
            () = note.0.watches.notified(), if watchers.is_some() => break,
            Ok(()) = stopping.changed() => serving.as_mut().graceful_shutdown(),
        }
    }
    let watching = async move {
        loop {
            tokio::select! {
                ended = serving.as_mut() => return tell_ended(ended, from),
                Ok(()) = stopping.changed() => serving.as_mut().graceful_shutdown(),
            }
        }
    };
    if let Some(watchers) = watchers {
        // Ends with this task, too.
        let watching = AbortOnDropHandle::new(watchers.spawn(watching));
        if let Err(error) = watching.await {
            tracing::error!(%error, "the task of a watch failed");
        }
    }
}

fn tell_ended<E: fmt::Display>(ended: Result<(), E>, from: SocketAddr) {
    if let Err(error) = ended {
        tracing::debug!(%error, %from, "a connection ended with an error");
    }
}
