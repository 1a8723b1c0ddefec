//! The lists: which filters each of them has, and the keys by which it goes on.

use allocator::filter::{
    AllocationFilter, AllocationKey, ClaimFilter, PoolFilter, TenantFilter, TenantKey,
};
use allocator::name::Name;
use allocator::view::{PoolPhase, Purpose};

use super::parameters::{Parameters, with_paging};
use super::{List, PageKey};
use crate::problem::Problem;

/// Parameters of `tenant_list`.
pub type TenantList = List<TenantFilter, Name>;
/// Parameters of `pool_list`.
pub type PoolList = List<PoolFilter, Name>;
/// Parameters of `pool_list_all`.
pub type PoolListAll = List<PoolFilter, TenantKey<Name>>;
/// Parameters of `claim_list`.
pub type ClaimList = List<ClaimFilter, Name>;
/// Parameters of `claim_list_all`.
pub type ClaimListAll = List<ClaimFilter, TenantKey<Name>>;
/// Parameters of `allocation_list`.
pub type AllocationList = List<AllocationFilter, AllocationKey>;
/// Parameters of `allocation_list_all`.
pub type AllocationListAll = List<AllocationFilter, TenantKey<AllocationKey>>;

const TENANT_FILTERS: &[&str] = &["labelSelector"];
const POOL_FILTERS: &[&str] = &[
    "parent",
    "space",
    "family",
    "phase",
    "owner",
    "ownerPrefix",
    "within",
    "contains",
    "labelSelector",
];
const CLAIM_FILTERS: &[&str] = &[
    "pool",
    "space",
    "family",
    "purpose",
    "phase",
    "owner",
    "ownerPrefix",
    "within",
    "contains",
    "allocatedBefore",
    "labelSelector",
];
/// Those of claims: an allocation has what its holder has.
const ALLOCATION_FILTERS: &[&str] = CLAIM_FILTERS;

impl TenantList {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query, &with_paging(TENANT_FILTERS))?;
        let filter = TenantFilter {
            labels: parameters.labels()?,
        };
        Self::new("tenant_list", "", &parameters, filter)
    }
}

impl PoolList {
    /// Parses the query string for the pools of `tenant`.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>, tenant: &Name) -> Result<Self, Problem> {
        let (parameters, filter) = pools(query)?;
        Self::new("pool_list", tenant.as_str(), &parameters, filter)
    }
}

impl PoolListAll {
    /// Parses the query string for the pools of all tenants.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let (parameters, filter) = pools(query)?;
        Self::new("pool_list_all", "", &parameters, filter)
    }
}

fn pools(query: Option<&str>) -> Result<(Parameters, PoolFilter), Problem> {
    let parameters = Parameters::parse(query, &with_paging(POOL_FILTERS))?;
    let phases = [
        ("Ready", PoolPhase::Ready),
        ("Draining", PoolPhase::Draining),
        ("Exhausted", PoolPhase::Exhausted),
    ];
    let filter = PoolFilter {
        parent: parameters.name("parent")?,
        space: parameters.name("space")?,
        family: parameters.family()?,
        phase: parameters.word("phase", &phases)?,
        owner: parameters.owner("owner")?,
        owner_prefix: parameters.owner("ownerPrefix")?,
        within: parameters.within()?,
        contains: parameters.address("contains")?,
        labels: parameters.labels()?,
    };
    Ok((parameters, filter))
}

impl ClaimList {
    /// Parses the query string for the claims of `tenant`.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>, tenant: &Name) -> Result<Self, Problem> {
        let (parameters, filter) = claims(query)?;
        Self::new("claim_list", tenant.as_str(), &parameters, filter)
    }
}

impl ClaimListAll {
    /// Parses the query string for the claims of all tenants.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let (parameters, filter) = claims(query)?;
        Self::new("claim_list_all", "", &parameters, filter)
    }
}

fn claims(query: Option<&str>) -> Result<(Parameters, ClaimFilter), Problem> {
    let parameters = Parameters::parse(query, &with_paging(CLAIM_FILTERS))?;
    let purposes = [
        ("Claim", Purpose::Claim),
        ("Reservation", Purpose::Reservation),
    ];
    let filter = ClaimFilter {
        pool: parameters.name("pool")?,
        space: parameters.name("space")?,
        family: parameters.family()?,
        purpose: parameters.word("purpose", &purposes)?,
        phase: parameters.phase()?,
        owner: parameters.owner("owner")?,
        owner_prefix: parameters.owner("ownerPrefix")?,
        within: parameters.within()?,
        contains: parameters.address("contains")?,
        allocated_before_ms: parameters.time("allocatedBefore")?,
        labels: parameters.labels()?,
    };
    Ok((parameters, filter))
}

impl AllocationList {
    /// Parses the query string for the allocations of `tenant`.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>, tenant: &Name) -> Result<Self, Problem> {
        let (parameters, filter) = allocations(query)?;
        Self::new("allocation_list", tenant.as_str(), &parameters, filter)
    }
}

impl AllocationListAll {
    /// Parses the query string for the allocations of all tenants.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let (parameters, filter) = allocations(query)?;
        Self::new("allocation_list_all", "", &parameters, filter)
    }
}

fn allocations(query: Option<&str>) -> Result<(Parameters, AllocationFilter), Problem> {
    let parameters = Parameters::parse(query, &with_paging(ALLOCATION_FILTERS))?;
    let filter = AllocationFilter {
        pool: parameters.name("pool")?,
        space: parameters.name("space")?,
        family: parameters.family()?,
        purpose: parameters.purpose()?,
        phase: parameters.phase()?,
        owner: parameters.owner("owner")?,
        owner_prefix: parameters.owner("ownerPrefix")?,
        within: parameters.within()?,
        contains: parameters.address("contains")?,
        allocated_before_ms: parameters.time("allocatedBefore")?,
        labels: parameters.labels()?,
    };
    Ok((parameters, filter))
}

impl PageKey for Name {
    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl PageKey for AllocationKey {
    fn to_text(&self) -> String {
        match self {
            Self::Own { pool, cidr } => format!("{pool} {cidr}"),
            // No name begins so.
            Self::Foreign { cidr, hold } => format!("~{hold} {cidr}"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let (place, cidr) = text.split_once(' ')?;
        let cidr = cidr.parse().ok()?;
        match place.strip_prefix('~') {
            Some(hold) => Some(Self::Foreign {
                cidr,
                hold: hold.parse().ok()?,
            }),
            None => Some(Self::Own {
                pool: Name::new(place).ok()?,
                cidr,
            }),
        }
    }
}

impl<K: PageKey> PageKey for TenantKey<K> {
    fn to_text(&self) -> String {
        match &self.key {
            Some(key) => format!("{} {}", self.tenant, key.to_text()),
            None => self.tenant.to_string(),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let (tenant, key) = match text.split_once(' ') {
            Some((tenant, key)) => (tenant, Some(K::from_text(key)?)),
            None => (text, None),
        };
        let tenant = Name::new(tenant).ok()?;
        Some(Self { tenant, key })
    }
}

#[cfg(test)]
mod tests {
    use crate::routes::{Place, operation};

    use super::*;

    #[test]
    fn each_list_is_documented_with_the_filters_that_it_has() {
        for (id, filters) in [
            ("tenant_list", TENANT_FILTERS),
            ("pool_list", POOL_FILTERS),
            ("pool_list_all", POOL_FILTERS),
            ("claim_list", CLAIM_FILTERS),
            ("claim_list_all", CLAIM_FILTERS),
            ("allocation_list", ALLOCATION_FILTERS),
            ("allocation_list_all", ALLOCATION_FILTERS),
        ] {
            let documented = operation(id).unwrap().query_and_headers();
            let documented: Vec<&str> = documented
                .filter(|parameter| parameter.place == Place::Query)
                .map(|parameter| parameter.name)
                .collect();
            assert_eq!(documented, with_paging(filters), "{id}");
        }
    }

    #[test]
    fn a_key_over_all_tenants_comes_back_from_its_token_to_its_own_list_only() {
        let claims = ClaimListAll::parse(Some("pool=p")).unwrap();
        let allocations = AllocationListAll::parse(None).unwrap();
        let tenant = Name::new("acme").unwrap();
        let key = |key| TenantKey {
            tenant: tenant.clone(),
            key,
        };
        for at in [key(None), key(Some(Name::new("c-9").unwrap()))] {
            let query = format!("pool=p&pageToken={}", claims.next_page_token(&at));
            assert_eq!(ClaimListAll::parse(Some(&query)).unwrap().after, Some(at));
            assert!(ClaimList::parse(Some(&query), &tenant).is_err());
        }
        let own = AllocationKey::Own {
            pool: Name::new("p").unwrap(),
            cidr: "2001:db8::/64".parse().unwrap(),
        };
        let foreign = AllocationKey::Foreign {
            cidr: "10.0.0.0/24".parse().unwrap(),
            hold: 7,
        };
        for at in [own, foreign] {
            let at = TenantKey {
                tenant: tenant.clone(),
                key: Some(at),
            };
            let query = format!("pageToken={}", allocations.next_page_token(&at));
            let list = AllocationListAll::parse(Some(&query)).unwrap();
            assert_eq!(list.after, Some(at));
        }
        for bad in ["", " c", "acme ", "acme c d", "-acme"] {
            assert_eq!(TenantKey::<Name>::from_text(bad), None, "{bad:?}");
        }
    }

    /// How a list reads its query.
    type Parse<'a> = &'a dyn Fn(Option<&str>) -> Result<u64, Problem>;

    #[test]
    fn a_filter_that_a_list_does_not_have_is_refused_by_its_name() {
        let acme = Name::new("acme").unwrap();
        let tenants = |query: Option<&str>| TenantList::parse(query).map(|list| list.limit);
        let pools = |query: Option<&str>| PoolList::parse(query, &acme).map(|list| list.limit);
        let claims = |query: Option<&str>| ClaimList::parse(query, &acme).map(|list| list.limit);
        let held = |query: Option<&str>| AllocationList::parse(query, &acme).map(|list| list.limit);
        let table: [(Parse<'_>, &str, &str); 9] = [
            (&tenants, "labelSelector=env%3Dprod", "owner=o"),
            (&tenants, "limit=7", "family=IPv4"),
            (&pools, "phase=Exhausted", "phase=InUse"),
            (&pools, "parent=p", "pool=p"),
            (&pools, "family=IPv6", "purpose=Child"),
            (&pools, "space=s", "allocatedBefore=2026-03-01T12:00:00Z"),
            (&claims, "purpose=Reservation", "purpose=Child"),
            (&claims, "phase=InUse", "parent=p"),
            (&held, "purpose=Child", "parent=p"),
        ];
        for (parse, accepted, refused) in table {
            parse(Some(accepted)).unwrap_or_else(|problem| panic!("{accepted}: {problem:?}"));
            let problem = parse(Some(refused)).unwrap_err();
            let (name, _) = refused.split_once('=').unwrap();
            assert_eq!(
                (problem.status, &problem.facts["parameter"]),
                (400, &name.into()),
                "{refused}"
            );
        }
    }
}
