//! The removal of a pool, alone or with what is under it.

use allocator::cascade::PoolCascade;
use allocator::command::Command;
use allocator::name::Name;
use allocator::owners::RELEASE_BLOCKS_MAX;

use super::parameters::Parameters;
use crate::problem::Problem;

/// Parameters of `pool_delete`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolDelete {
    /// `dryRun`.
    pub dry_run: bool,
    /// `cascade`, with what bounds it.
    pub cascade: Option<Cascade>,
}

/// What bounds a cascade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cascade {
    /// `asOfRevision`: only what was given at or before it.
    pub as_of_revision: u64,
    /// `limit`: at most so many blocks, the first in order of address.
    pub limit: Option<u32>,
}

impl PoolDelete {
    /// Parses the query string.
    ///
    /// # Errors
    /// `invalid_parameter`; also where `cascade` has no `asOfRevision`, or that or `limit` stands alone.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let known = ["dryRun", "cascade", "asOfRevision", "limit"];
        let parameters = Parameters::parse(query, &known)?;
        let as_of_revision = parameters.whole_number("asOfRevision", 0, u64::MAX >> 11)?;
        let limit = parameters.whole_number("limit", 1, u64::from(RELEASE_BLOCKS_MAX))?;
        let cascade = match (parameters.flag("cascade")?, as_of_revision) {
            (true, Some(as_of_revision)) => Some(Cascade {
                as_of_revision,
                limit: limit.and_then(|limit| u32::try_from(limit).ok()),
            }),
            (true, None) => {
                return Err(Problem::invalid_parameter(
                    "asOfRevision",
                    "is missing beside cascade",
                    "the revision at which the pool was read",
                ));
            }
            (false, _) => {
                let alone = [
                    ("asOfRevision", as_of_revision.is_some()),
                    ("limit", limit.is_some()),
                ];
                if let Some((parameter, _)) = alone.into_iter().find(|(_, stated)| *stated) {
                    return Err(Problem::invalid_parameter(
                        parameter,
                        "means nothing without cascade",
                        "cascade=true beside it",
                    ));
                }
                None
            }
        };
        Ok(Self {
            dry_run: parameters.flag("dryRun")?,
            cascade,
        })
    }

    /// The command that removes a pool so.
    pub fn command(self, tenant: Name, pool: Name, if_revision: Option<u64>) -> Command {
        match self.cascade {
            None => Command::PoolDelete {
                tenant,
                pool,
                if_revision,
            },
            Some(cascade) => Command::PoolCascade(PoolCascade {
                tenant,
                pool,
                if_revision,
                as_of_revision: cascade.as_of_revision,
                limit: cascade.limit,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cascade_is_fenced_and_what_bounds_it_stands_beside_it() {
        let parsed = |query: &str| PoolDelete::parse(Some(query));
        let cascade = parsed("cascade=true&asOfRevision=7&limit=10000&dryRun=true").unwrap();
        let bounds = Cascade {
            as_of_revision: 7,
            limit: Some(10_000),
        };
        assert_eq!((cascade.dry_run, cascade.cascade), (true, Some(bounds)));
        assert_eq!(parsed("cascade=false").unwrap(), PoolDelete::default());
        for (query, parameter) in [
            ("cascade=true", "asOfRevision"),
            ("cascade=yes&asOfRevision=7", "cascade"),
            ("asOfRevision=7", "asOfRevision"),
            ("cascade=false&limit=1", "limit"),
            ("cascade=true&asOfRevision=7&limit=0", "limit"),
            ("cascade=true&asOfRevision=7&limit=10001", "limit"),
            ("cascade=true&asOfRevision=-1", "asOfRevision"),
            ("generation=3", "generation"),
        ] {
            let problem = parsed(query).unwrap_err();
            assert_eq!(problem.code, "invalid_parameter", "{query}");
            assert_eq!(problem.facts["parameter"], parameter, "{query}");
        }
    }
}
