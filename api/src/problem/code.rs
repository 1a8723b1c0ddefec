//! The catalogue: every way in which a request can fail.
//!
//! 1. A code never changes its meaning, its status or its name once released; a client may match on it.
//! 2. `retryable` is true exactly where the same request, sent again later, may succeed without
//!    anybody changing what is held: the cause lies in the cluster, not in the request.

use std::fmt;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeEntry {
    /// The code.
    pub code: Code,
    /// As it stands in the member `code`.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The member `title`: the same for every occurrence.
    pub title: &'static str,
    /// The same request may succeed later.
    pub retryable: bool,
    /// What it means and what to do, for the documents.
    pub doc: &'static str,
}

macro_rules! catalogue {
    ($($code:ident $name:literal $status:literal $retryable:literal $title:literal $doc:literal;)+) => {
        /// What went wrong, as a word that a program can match on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $doc] $code,)+
        }

        /// All codes, by status.
        pub const CATALOGUE: &[CodeEntry] = &[
            $(CodeEntry { code: Code::$code, name: $name, status: $status, title: $title, retryable: $retryable, doc: $doc },)+
        ];

        impl Code {
            /// Its row of the catalogue.
            pub const fn entry(self) -> &'static CodeEntry {
                match self {
                    $(Self::$code => &CodeEntry { code: Code::$code, name: $name, status: $status, title: $title, retryable: $retryable, doc: $doc },)+
                }
            }
        }
    };
}

catalogue! {
    InvalidJson "invalid_json" 400 false "The body is not JSON"
        "The body is not one well-formed JSON document in UTF-8, or it is nested more than 127 deep.";
    InvalidParameter "invalid_parameter" 400 false "A parameter is not valid"
        "A query parameter, a header or a part of the path is unknown, stated twice or out of its bounds; `parameter` names it and `allowed` says what it may be.";
    NotTheHolder "not_the_holder" 403 false "The claim is another holder's"
        "A claim with an owner is confirmed and renewed by that owner: send it as `owner`. A claim without one takes none.";
    QuotaExceeded "quota_exceeded" 403 false "The tenant's quota is used up"
        "`quota` names the limit; `limit`, `used` and `asked` are its figures, each told as at most 2^64−1. Release something or have the quota raised.";
    TestClockOff "test_clock_off" 403 false "The clock cannot be moved here"
        "Only a node that was started with `--test-clock` lets the log's clock be moved.";
    TenantNotFound "tenant_not_found" 404 false "No such tenant"
        "There is no tenant of that name, or none that the caller may see.";
    PoolNotFound "pool_not_found" 404 false "No such pool"
        "There is no pool of that name, or none that the caller may see.";
    NoPoolMatches "no_pool_matches" 404 false "No pool matches the selector"
        "Of the pools that the claim's tenant may use, none has the labels and the family that `poolSelector` asks for.";
    ClaimNotFound "claim_not_found" 404 false "No such claim"
        "No claim of that name holds anything. `ended` is the last holding under that name, while the events reach back.";
    AllocationNotFound "allocation_not_found" 404 false "Nothing is held there"
        "Nobody holds that block in that space, or no pool contains it.";
    MemberNotFound "member_not_found" 404 false "No such member"
        "The cluster has no member of that id.";
    NotFound "not_found" 404 false "No such path"
        "The API has no such path; `/openapi.json` lists them.";
    MethodNotAllowed "method_not_allowed" 405 false "Not a method of this path"
        "The path exists, but not with this method; the header `Allow` lists those that do.";
    DeleteTheClaim "delete_the_claim" 405 false "An allocation is not deleted by itself"
        "An allocation goes when its holder goes: delete the `claim` or the `pool` that is named; a reservation goes with its `pool`.";
    RequestTimeout "request_timeout" 408 true "The request did not arrive in time"
        "The rest of the request did not come within the server's limit. Nothing was done.";
    AlreadyExists "already_exists" 409 false "The name is taken"
        "A tenant or pool of that name exists with other content; `field` is the first that differs.";
    ClaimMismatch "claim_mismatch" 409 false "The claim was asked for otherwise"
        "A claim of that name exists and was asked for otherwise; `field` is the first that differs. A claim's name is its idempotency key: use another one.";
    CidrOverlap "cidr_overlap" 409 false "The block overlaps another root block"
        "Root blocks of one tenant and space never overlap; `other` and `pool` say what is in the way.";
    PoolInUse "pool_in_use" 409 false "The pool holds something"
        "A pool is deleted only when it holds nothing, and loses only a CIDR that holds nothing. `claims` and `children` count what the pool holds, or `cidr` is the one that does; `holders` are the first ten.";
    TenantInUse "tenant_in_use" 409 false "The tenant has pools or claims"
        "A tenant is deleted only when it has neither pools nor claims; both are counted.";
    AddressTaken "address_taken" 409 false "The block is held"
        "The exact block that was asked for is held in whole or in part. `held` is what stands in the way, with its holder's name where the caller may see it.";
    PoolDraining "pool_draining" 409 false "The pool is draining"
        "The pool hands out nothing new; what is held goes on, and can be given back. An operator ends it with `drain: false`.";
    TooMany "too_many" 409 false "More than one command may touch"
        "`what`, `count` and `limit` say of what there are too many. Go in steps.";
    TooManySuspects "too_many_suspects" 409 false "More would be released than the caller expects"
        "`count` blocks would be released, and `releaseAtMost` is `limit`. Nothing was released or counted. Look whether the live set is whole.";
    MemberExists "member_exists" 409 false "The id belongs to another member"
        "A member of that id exists with another address. Remove it first.";
    MembershipRefused "membership_refused" 409 false "The membership cannot change so"
        "The change would leave the cluster without a voter, the learner has not caught up, or another change is under way.";
    VersionRefused "version_refused" 409 false "Not the next version"
        "Versions of formats and rules are activated one after the other; `active` is the present one.";
    AlreadyFormed "already_formed" 409 false "The cluster has its id already"
        "A cluster draws its id once; `clusterId` is the one that it has.";
    Compacted "compacted" 410 false "The past is gone"
        "That revision lies before what this node remembers; `oldestRevision` is the lowest that it can still tell of.";
    RevisionMismatch "revision_mismatch" 412 false "The pool has changed"
        "`If-Revision` is not the pool's revision; `current` is. Read it again.";
    GenerationStale "generation_stale" 412 false "The generation is not the claim's"
        "The holding that was meant is not the one that the claim has; `current` is. Nothing was changed.";
    EpochStale "epoch_stale" 412 false "The live set is an old one"
        "A live set of a later epoch, `current`, was accepted for this scope. List anew who is there and send a later epoch. Nothing was changed.";
    TooLarge "too_large" 413 false "The body is too large"
        "The body is larger than `limitBytes`. Use smaller batches.";
    UnsupportedMediaType "unsupported_media_type" 415 false "The body is not announced as JSON"
        "The header `Content-Type` must be `application/json`, in no other charset than UTF-8, and the body as it is, without a `Content-Encoding`.";
    InvalidField "invalid_field" 422 false "A field is not valid"
        "`fields` lists each field with what is wrong and what is allowed.";
    PrefixLengthOutOfBounds "prefix_length_out_of_bounds" 422 false "The prefix length is outside the pool's bounds"
        "`minPrefixLength` and `maxPrefixLength` are the pool's bounds; `asked` is absent where none was named and the pool has no default.";
    FamilyMismatch "family_mismatch" 422 false "The family is not the pool's"
        "`asked` is the family of the request, `family` that of the pool.";
    GatewayNotInSubnet "gateway_not_in_subnet" 422 false "The gateway is not in the subnet"
        "A gateway is `first`, `last`, an address of the subnet or a link-local one.";
    NotPrivate "not_private" 422 false "The block is not private"
        "The pool is `privateOnly`: every CIDR lies in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918), or in `fc00::/7` (RFC 4193).";
    NotApplied "not_applied" 424 false "Another operation of the batch was refused"
        "The operation was not at fault, but its batch is atomic and was refused; `failedIndex` of the answer is the first culprit.";
    TooBusy "too_busy" 429 true "Too many requests"
        "The node has as much in flight as it takes. Nothing was done; try again after `Retry-After` seconds.";
    HeadersTooLarge "headers_too_large" 431 false "The headers are too large"
        "The request line or the headers are larger than the server takes.";
    InternalError "internal_error" 500 false "The server failed"
        "A fault of the server, written to its log. Repeat the request with the same name to learn what came of it.";
    NoLeader "no_leader" 503 true "The cluster has no leader"
        "No leader was known before the deadline. Nothing was proposed; try again after `Retry-After` seconds.";
    Stale "stale" 503 true "This node is behind"
        "The node's state is older than `If-Min-Revision` or `maxStalenessMs` allow. Ask another node or try again after `Retry-After` seconds.";
    Stopping "stopping" 503 true "This node is stopping"
        "The node takes no new requests. Nothing was done; ask another node.";
    OutcomeUnknown "outcome_unknown" 504 true "The outcome is not known"
        "The write was handed to the log, but its outcome was not known before the deadline: it may yet happen. Send the same request with the same name and get the same answer.";
    PoolExhausted "pool_exhausted" 507 false "No free block of that length"
        "`prefixLength` was asked for; `free` addresses are left in all, the largest free block is a `/largestFreePrefixLength`.";
}

impl Code {
    /// The code of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        CATALOGUE
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| entry.code)
    }

    /// As it stands in the member `code`.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.entry().status
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_has_each_name_once_in_order_of_status() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        assert!(CATALOGUE.is_sorted_by_key(|entry| entry.status));
        for entry in CATALOGUE {
            assert_eq!(entry.code.entry(), entry);
            assert_eq!(Code::of_name(entry.name), Some(entry.code));
        }
        assert_eq!(Code::of_name("nonsense"), None);
    }

    /// SPEC §4 by status, without those that only tokens, selectors, reconciles and policies meet.
    #[test]
    fn every_code_of_the_specification_that_can_occur_is_in_the_catalogue() {
        let expected: &[(u16, &[&str])] = &[
            (400, &["invalid_json", "invalid_parameter"]),
            (403, &["quota_exceeded"]),
            (
                404,
                &[
                    "tenant_not_found",
                    "pool_not_found",
                    "claim_not_found",
                    "allocation_not_found",
                ],
            ),
            (405, &["delete_the_claim"]),
            (
                409,
                &[
                    "already_exists",
                    "claim_mismatch",
                    "cidr_overlap",
                    "pool_in_use",
                    "tenant_in_use",
                    "address_taken",
                    "pool_draining",
                    "too_many",
                ],
            ),
            (410, &["compacted"]),
            (412, &["revision_mismatch", "generation_stale"]),
            (413, &["too_large"]),
            (415, &["unsupported_media_type"]),
            (
                422,
                &[
                    "invalid_field",
                    "prefix_length_out_of_bounds",
                    "family_mismatch",
                    "gateway_not_in_subnet",
                    "not_private",
                ],
            ),
            (424, &["not_applied"]),
            (429, &["too_busy"]),
            (503, &["no_leader", "stale"]),
            (504, &["outcome_unknown"]),
            (507, &["pool_exhausted"]),
        ];
        for (status, names) in expected {
            for name in *names {
                assert_eq!(
                    Code::of_name(name).map(Code::status),
                    Some(*status),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn only_what_the_cluster_causes_is_retryable() {
        for entry in CATALOGUE {
            let by_the_cluster = matches!(entry.status, 408 | 429 | 503 | 504);
            assert_eq!(entry.retryable, by_the_cluster, "{}", entry.name);
        }
    }
}
