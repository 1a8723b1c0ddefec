use std::fmt::Write as _;

use allocator::filter::AllocationKey;
use expect_test::expect;

use super::*;

fn acme() -> Name {
    Name::new("acme").unwrap()
}

#[test]
fn a_list_reads_all_its_parameters() {
    let query = "limit=7&pool=p&space=blue&family=IPv6&purpose=Claim&phase=InUse&owner=node-7/a&ownerPrefix=node-7\
                 &within=10.0.0.0%2F8&contains=10.1.2.3&allocatedBefore=2026-03-01T12:00:00Z\
                 &labelSelector=app%3Dweb,!old&consistency=linearizable&maxStalenessMs=250";
    let list = AllocationList::parse(Some(query), &acme()).unwrap();
    expect![[r#"
        Reading {
            consistency: Linearizable,
            max_staleness_ms: Some(
                250,
            ),
        }
        AllocationFilter {
            pool: Some(
                "p",
            ),
            space: Some(
                "blue",
            ),
            family: Some(
                IPv6,
            ),
            purpose: Some(
                Claim,
            ),
            phase: Some(
                InUse,
            ),
            owner: Some(
                "node-7/a",
            ),
            owner_prefix: Some(
                "node-7",
            ),
            within: Some(
                10.0.0.0/8,
            ),
            contains: Some(
                10.1.2.3,
            ),
            allocated_before_ms: Some(
                1772366400000,
            ),
            labels: LabelSelector {
                requirements: [
                    In(
                        "app",
                        [
                            "web",
                        ],
                    ),
                    Absent(
                        "old",
                    ),
                ],
            },
        }
    "#]]
    .assert_eq(&format!("{:#?}\n{:#?}\n", list.reading, list.filter));
    assert_eq!(list.limit, 7);
}

#[test]
fn a_list_goes_on_after_the_key_of_its_token() {
    let first = ClaimList::parse(Some("pool=p&owner=o"), &acme()).unwrap();
    assert_eq!((first.limit, &first.after), (100, &None));
    let token = first.next_page_token(&Name::new("c-9").unwrap());
    let query = format!("owner=o&limit=5&pool=p&pageToken={token}");
    let second = ClaimList::parse(Some(&query), &acme()).unwrap();
    assert_eq!(second.after, Some(Name::new("c-9").unwrap()));
    let other = ClaimList::parse(Some(&format!("owner=o&pageToken={token}")), &acme()).unwrap_err();
    assert_eq!(other.facts["parameter"], "pageToken");
}

#[test]
fn an_allocation_key_comes_back_from_its_token() {
    let list = AllocationList::parse(None, &acme()).unwrap();
    let own = AllocationKey::Own {
        pool: Name::new("p").unwrap(),
        cidr: "2001:db8::/64".parse().unwrap(),
    };
    let foreign = AllocationKey::Foreign {
        cidr: "10.0.0.0/24".parse().unwrap(),
        hold: 7,
    };
    for key in [own, foreign] {
        let query = format!("pageToken={}", list.next_page_token(&key));
        let parsed = AllocationList::parse(Some(&query), &acme()).unwrap();
        assert_eq!(parsed.after, Some(key));
    }
}

#[test]
fn each_bad_parameter_is_named_with_what_is_allowed() {
    let queries = [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=1&limit=2",
        "lmit=1",
        "pageToken=abc",
        "consistency=strong",
        "maxStalenessMs=1.5",
        "family=ipv4",
        "phase=Gone",
        "pool=-p",
        "owner=a//b",
        "within=10.0.0.1/8",
        "within=10.0.0.0",
        "contains=10.0.0.0/8",
        "allocatedBefore=yesterday",
        "labelSelector=a%3D%3D%3Db",
        "pool=%FF",
    ];
    let mut table = String::new();
    for query in queries {
        let problem = ClaimList::parse(Some(query), &acme()).unwrap_err();
        writeln!(table, "{query}\n    {}: {}", problem.code, problem.detail).unwrap();
    }
    expect![[r#"
        limit=0
            invalid_parameter: The parameter limit is "0"; allowed is a whole number from 1 to 1000.
        limit=1001
            invalid_parameter: The parameter limit is "1001"; allowed is a whole number from 1 to 1000.
        limit=-1
            invalid_parameter: The parameter limit is "-1"; allowed is a whole number from 1 to 1000.
        limit=ten
            invalid_parameter: The parameter limit is "ten"; allowed is a whole number from 1 to 1000.
        limit=
            invalid_parameter: The parameter limit is ""; allowed is a whole number from 1 to 1000.
        limit=1&limit=2
            invalid_parameter: The parameter limit is stated twice; allowed is each parameter once.
        lmit=1
            invalid_parameter: The parameter lmit is not a parameter of this operation; allowed is pool, space, family, purpose, phase, owner, ownerPrefix, within, contains, allocatedBefore, labelSelector, limit, pageToken, consistency, maxStalenessMs.
        pageToken=abc
            invalid_parameter: The parameter pageToken is not a page token; allowed is nextPageToken of the page before.
        consistency=strong
            invalid_parameter: The parameter consistency is "strong"; allowed is local, linearizable.
        maxStalenessMs=1.5
            invalid_parameter: The parameter maxStalenessMs is "1.5"; allowed is a whole number from 0 to 86400000.
        family=ipv4
            invalid_parameter: The parameter family is "ipv4"; allowed is IPv4, IPv6.
        phase=Gone
            invalid_parameter: The parameter phase is "Gone"; allowed is Allocated, InUse, Released.
        pool=-p
            invalid_parameter: The parameter pool is "-p"; allowed is 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric.
        owner=a//b
            invalid_parameter: The parameter owner is "a//b"; allowed is 1 to 1024 bytes of printable ASCII without spaces, in segments divided by '/', none of them empty.
        within=10.0.0.1/8
            invalid_parameter: The parameter within is "10.0.0.1/8"; allowed is 10.0.0.0/8.
        within=10.0.0.0
            invalid_parameter: The parameter within is "10.0.0.0"; allowed is a CIDR such as 10.0.1.0/24.
        contains=10.0.0.0/8
            invalid_parameter: The parameter contains is "10.0.0.0/8"; allowed is an address such as 10.0.1.7.
        allocatedBefore=yesterday
            invalid_parameter: The parameter allocatedBefore is "yesterday"; allowed is a time of RFC 3339 such as 2026-03-01T12:00:00.000Z.
        labelSelector=a%3D%3D%3Db
            invalid_parameter: The parameter labelSelector is "a===b"; allowed is at most 64 of: key=value, key!=value, key in (a,b), key notin (a,b), key, !key.
        pool=%FF
            invalid_parameter: The parameter pool is "�"; allowed is 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric.
    "#]].assert_eq(&table);
}

#[test]
fn mutations_know_a_dry_run_and_nothing_else() {
    assert_eq!(Mutation::parse(None), Ok(Mutation { dry_run: false }));
    assert_eq!(
        Mutation::parse(Some("dryRun=true")),
        Ok(Mutation { dry_run: true })
    );
    assert_eq!(
        Mutation::parse(Some("dryRun=false")),
        Ok(Mutation { dry_run: false })
    );
    for bad in ["dryRun=1", "dryRun", "dryrun=true", "limit=1"] {
        assert_eq!(Mutation::parse(Some(bad)).unwrap_err().status, 400, "{bad}");
    }
    assert_eq!(
        Release::parse(Some("generation=17")).unwrap().generation,
        Some(17)
    );
    assert_eq!(none(Some("x=1")).unwrap_err().facts["parameter"], "x");
}

#[test]
fn free_blocks_are_asked_for_by_length_or_by_size() {
    let free = Free::parse(Some("prefixLength=24&limit=10&count=true")).unwrap();
    assert_eq!(
        (free.prefix_length, free.limit, free.count),
        (Some(24), 10, true)
    );
    assert_eq!(Free::parse(None).unwrap().limit, LIMIT_DEFAULT);
    assert_eq!(
        Free::parse(Some("prefixLength=129")).unwrap_err().facts["parameter"],
        "prefixLength"
    );
}
