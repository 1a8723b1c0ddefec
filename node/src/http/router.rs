//! The router, made from the table of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::problem::Problem;
use api::routes::{Method, Operation, ResponseBody, operations};
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::routing::{MethodFilter, MethodRouter, on};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::edge::{self, Handler, Kind, Route};
use super::server::Server;
use super::{
    all_tenants, allocations, batch, claims, cluster, documents, health, history, lookup, owners,
    pools, settings, tenants, watch,
};
use crate::metrics::http::RouteMetrics;

/// Shorter lists are sent as they are.
const GZIP_BYTES_MIN: u16 = 1_024;

type Params = Result<RawPathParams, RawPathParamsRejection>;

/// All operations of the API, and a problem for everything else.
pub(super) fn router(server: &Server) -> Router {
    let mut paths: BTreeMap<String, Vec<&'static Operation>> = BTreeMap::new();
    for operation in operations() {
        paths
            .entry(operation.router_path())
            .or_default()
            .push(operation);
    }
    let unrouted = Arc::new(RouteMetrics::new("any", "unrouted"));
    let mut router = Router::new();
    for (path, operations) in paths {
        let mut methods = MethodRouter::new();
        for operation in &operations {
            methods = methods.merge(served(server, operation));
        }
        let methods_allowed = operations.iter().map(|operation| operation.method);
        let allowed: Vec<&'static str> =
            methods_allowed.flat_map(Method::allowed).copied().collect();
        let (server, metrics) = (server.clone(), Arc::clone(&unrouted));
        let methods = methods.fallback(move |request: Request| {
            let problem = Problem::method_not_allowed(request.method().as_str(), &allowed);
            std::future::ready(edge::serve_unrouted(&server, &metrics, &request, problem))
        });
        router = router.route(&path, methods);
    }
    let server = server.clone();
    router.fallback(move |request: Request| {
        let problem = Problem::not_found(request.uri().path());
        std::future::ready(edge::serve_unrouted(&server, &unrouted, &request, problem))
    })
}

/// One operation with its handler.
fn served(server: &Server, operation: &'static Operation) -> MethodRouter {
    let (kind, handler) = handler(operation.id)
        .unwrap_or_else(|| unreachable!("every operation has a handler: {}", operation.id));
    let metrics = RouteMetrics::new(operation.method.as_str(), operation.path);
    let route = Arc::new(Route {
        operation: operation.id,
        handler,
        metrics,
        kind,
        takes_if_revision: operation.takes_header("If-Revision"),
    });
    let server = server.clone();
    let method = match operation.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    let methods = on(method, move |params: Params, request: Request| {
        edge::serve(server.clone(), Arc::clone(&route), params, request)
    });
    if operation
        .responses
        .iter()
        .any(|response| matches!(response.body, ResponseBody::ListOf(_)))
    {
        let gzip = CompressionLayer::new()
            .gzip(true)
            .quality(CompressionLevel::Fastest);
        methods.layer(gzip.compress_when(SizeAbove::new(GZIP_BYTES_MIN)))
    } else {
        methods
    }
}

/// What serves an operation.
fn handler(operation: &str) -> Option<(Kind, Handler)> {
    Some(match operation {
        "tenant_create" => (Kind::Mutation, |server, call| {
            Box::pin(tenants::tenant_create(server, call))
        }),
        "tenant_list" => (Kind::Read, |server, call| {
            Box::pin(tenants::tenant_list(server, call))
        }),
        "tenant_show" => (Kind::Read, |server, call| {
            Box::pin(tenants::tenant_show(server, call))
        }),
        "tenant_edit" => (Kind::Mutation, |server, call| {
            Box::pin(tenants::tenant_edit(server, call))
        }),
        "tenant_delete" => (Kind::Mutation, |server, call| {
            Box::pin(tenants::tenant_delete(server, call))
        }),
        "pool_create" => (Kind::Mutation, |server, call| {
            Box::pin(pools::pool_create(server, call))
        }),
        "pool_list" => (Kind::Read, |server, call| {
            Box::pin(pools::pool_list(server, call))
        }),
        "pool_list_all" => (Kind::Read, |server, call| {
            Box::pin(all_tenants::pool_list_all(server, call))
        }),
        "pool_show" => (Kind::Read, |server, call| {
            Box::pin(pools::pool_show(server, call))
        }),
        "pool_edit" => (Kind::Mutation, |server, call| {
            Box::pin(pools::pool_edit(server, call))
        }),
        "pool_delete" => (Kind::Mutation, |server, call| {
            Box::pin(pools::pool_delete(server, call))
        }),
        "pool_free" => (Kind::Read, |server, call| {
            Box::pin(pools::pool_free(server, call))
        }),
        "pool_map" => (Kind::Read, |server, call| {
            Box::pin(pools::pool_map(server, call))
        }),
        "pool_tree" => (Kind::Read, |server, call| {
            Box::pin(pools::pool_tree(server, call))
        }),
        "claim_create" => (Kind::NamedByKey, |server, call| {
            Box::pin(claims::claim_create(server, call))
        }),
        "claim_list" => (Kind::Read, |server, call| {
            Box::pin(claims::claim_list(server, call))
        }),
        "claim_list_all" => (Kind::Read, |server, call| {
            Box::pin(all_tenants::claim_list_all(server, call))
        }),
        "claim_show" => (Kind::Read, |server, call| {
            Box::pin(claims::claim_show(server, call))
        }),
        "claim_edit" => (Kind::Mutation, |server, call| {
            Box::pin(claims::claim_edit(server, call))
        }),
        "claim_release" => (Kind::Mutation, |server, call| {
            Box::pin(claims::claim_release(server, call))
        }),
        "claim_confirm" => (Kind::Mutation, |server, call| {
            Box::pin(claims::claim_confirm(server, call))
        }),
        "claim_renew" => (Kind::Mutation, |server, call| {
            Box::pin(claims::claim_renew(server, call))
        }),
        "batch_apply" => (Kind::Mutation, |server, call| {
            Box::pin(batch::batch_apply(server, call))
        }),
        "allocation_list" => (Kind::Read, |server, call| {
            Box::pin(allocations::allocation_list(server, call))
        }),
        "allocation_list_all" => (Kind::Read, |server, call| {
            Box::pin(all_tenants::allocation_list_all(server, call))
        }),
        "allocation_show" => (Kind::Read, |server, call| {
            Box::pin(allocations::allocation_show(server, call))
        }),
        "allocation_delete" => (Kind::Mutation, |server, call| {
            Box::pin(allocations::allocation_delete(server, call))
        }),
        "allocation_reclaim" => (Kind::Mutation, |server, call| {
            Box::pin(allocations::allocation_reclaim(server, call))
        }),
        "lookup_show" => (Kind::Read, |server, call| {
            Box::pin(lookup::lookup_show(server, call))
        }),
        "history_list" => (Kind::Read, |server, call| {
            Box::pin(history::history_list(server, call))
        }),
        "history_list_all" => (Kind::Read, |server, call| {
            Box::pin(history::history_list_all(server, call))
        }),
        "event_watch" => (Kind::Read, |server, call| {
            Box::pin(watch::event_watch(server, call))
        }),
        "event_watch_all" => (Kind::Read, |server, call| {
            Box::pin(watch::event_watch_all(server, call))
        }),
        "owner_release" => (Kind::Mutation, |server, call| {
            Box::pin(owners::owner_release(server, call))
        }),
        "owners_reconcile" => (Kind::Mutation, |server, call| {
            Box::pin(owners::owners_reconcile(server, call))
        }),
        "cluster_show" => (Kind::Read, |server, call| {
            Box::pin(cluster::cluster_show(server, call))
        }),
        "settings_show" => (Kind::Read, |server, call| {
            Box::pin(settings::settings_show(server, call))
        }),
        "settings_edit" => (Kind::Mutation, |server, call| {
            Box::pin(settings::settings_edit(server, call))
        }),
        "digest_show" => (Kind::Read, |server, call| {
            Box::pin(cluster::digest_show(server, call))
        }),
        "member_add" => (Kind::Mutation, |server, call| {
            Box::pin(cluster::member_add(server, call))
        }),
        "member_promote" => (Kind::Mutation, |server, call| {
            Box::pin(cluster::member_promote(server, call))
        }),
        "member_remove" => (Kind::Mutation, |server, call| {
            Box::pin(cluster::member_remove(server, call))
        }),
        "clock_advance" => (Kind::Mutation, |server, call| {
            Box::pin(cluster::clock_advance(server, call))
        }),
        "livez_show" => (Kind::Probe, |server, call| {
            Box::pin(async move { health::livez_show(server, &call) })
        }),
        "readyz_show" => (Kind::Probe, |server, call| {
            Box::pin(async move { health::readyz_show(server, &call) })
        }),
        "metrics_show" => (Kind::Probe, |server, call| {
            Box::pin(async move { health::metrics_show(server, &call) })
        }),
        "openapi_show" => (Kind::Read, |_, call| {
            Box::pin(async move { documents::openapi_show(&call) })
        }),
        "docs_show" => (Kind::Read, |_, call| {
            Box::pin(async move { documents::docs_show(&call) })
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_table_has_a_handler_of_its_kind() {
        for operation in operations() {
            let (kind, _) =
                handler(operation.id).unwrap_or_else(|| panic!("{} is not served", operation.id));
            assert_eq!(
                kind.is_mutation(),
                operation.is_mutation(),
                "{}",
                operation.id
            );
            let takes_key = operation.takes_header("Idempotency-Key");
            assert_eq!(kind == Kind::NamedByKey, takes_key, "{}", operation.id);
        }
        assert!(handler("tenant_crate").is_none());
    }
}
