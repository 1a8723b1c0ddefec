use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn arguments_that_do_not_fit_together_are_refused() {
    let table = [
        ("pool create p --cidr 10.0.0.0/8 --cidr 10.1.0.0/16", None),
        ("pool create c --parent p --length 24", None),
        ("pool create c --parent shared/p --cidr 10.0.0.0/24", None),
        (
            "pool create c --length 24",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        (
            "pool create c --parent p --length 24 --cidr 10.0.0.0/24",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "pool create c --parent p --space blue",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "pool create c --owner n --cidr 10.0.0.0/8",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        (
            "pool create c --parent a/b/c --length 24",
            Some(ErrorKind::ValueValidation),
        ),
        ("pool edit p --strategy NextFit --min-length none", None),
        (
            "pool edit p --strategy nextfit",
            Some(ErrorKind::InvalidValue),
        ),
        (
            "pool edit p --min-length few",
            Some(ErrorKind::ValueValidation),
        ),
        (
            "pool edit p --exclude 10.0.0.1 --exclude-nothing",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "pool edit p --route 10.9.0.0/16,via=10.0.0.1",
            Some(ErrorKind::ValueValidation),
        ),
        (
            "pool edit p --route 10.9.0.0/16,mtu=large",
            Some(ErrorKind::ValueValidation),
        ),
        (
            "pool create p --cidr 10.0.0.0/8 --route 10.9.0.0/16 --no-routes",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "pool edit p --inherit gateway",
            Some(ErrorKind::InvalidValue),
        ),
        ("claim edit c --editor", None),
        ("pool resize p --add 10.1.0.0/16 --remove 10.0.0.0/16", None),
        ("pool resize p", Some(ErrorKind::MissingRequiredArgument)),
        ("pool drain p --end", None),
        ("claim edit c --label a=b --remove-label c", None),
        ("tenant edit t --quota-claims none", None),
        ("pool free p --length 300", Some(ErrorKind::ValueValidation)),
        ("claim create --pool p", None),
        ("claim create c", Some(ErrorKind::MissingRequiredArgument)),
        (
            "claim create c --pool-selector zone=a,tier!=db --pool-tenant net",
            None,
        ),
        (
            "claim create c --pool p --pool-selector zone=a",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "claim create c --pool-selector =a",
            Some(ErrorKind::ValueValidation),
        ),
        ("pool map p --length 24", None),
        (
            "pool create p --cidr 10.0.0.0/8 --share-with a --share-with b --priority 7",
            None,
        ),
        (
            "pool edit p --share-with a --share-with-nobody",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "claim create c --pool p --length 24 --cidr 10.0.0.0/24",
            Some(ErrorKind::ArgumentConflict),
        ),
        (
            "claim create c --pool p --label env",
            Some(ErrorKind::ValueValidation),
        ),
        ("claim create c --pool p --label env=", None),
        ("claim release a b", None),
        ("claim release -l app=web --yes", None),
        ("claim release", Some(ErrorKind::MissingRequiredArgument)),
        (
            "claim release a -l app=web",
            Some(ErrorKind::ArgumentConflict),
        ),
        ("claim confirm a --owner n --generation 3 --dry-run", None),
        ("claim renew a --ttl 60", None),
        ("claim renew a --ttl -1", Some(ErrorKind::UnknownArgument)),
        (
            "claim create a --pool p --grace 60 --reclaim-policy Retain",
            None,
        ),
        (
            "claim create a --pool p --reclaim-policy Keep",
            Some(ErrorKind::InvalidValue),
        ),
        (
            "pool create p --cidr 10.0.0.0/8 --max-ttl 9 --allow-retain true",
            None,
        ),
        ("allocation reclaim 10.0.0.0/24 --generation 7 --yes", None),
        (
            "allocation reclaim",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        ("claim list --phase InUse --family IPv4", None),
        ("claim list --phase inuse", Some(ErrorKind::InvalidValue)),
        ("tenant show -a", Some(ErrorKind::UnknownArgument)),
        ("tenant show a/b", Some(ErrorKind::ValueValidation)),
        ("lookup 10.0.0.1", None),
        ("lookup 10.0.0.1/24", Some(ErrorKind::ValueValidation)),
        ("allocation show 10.0.0.0/24 --space blue", None),
        ("cluster add 4 --address n:7401", None),
        ("cluster add 4", Some(ErrorKind::MissingRequiredArgument)),
        (
            "cluster add four --address n:7401",
            Some(ErrorKind::ValueValidation),
        ),
        ("apply -f a.yaml b.yaml -f c", None),
        ("plan -f - --prune -l app=web", None),
        ("apply", Some(ErrorKind::MissingRequiredArgument)),
        (
            "apply -f a --prune",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        (
            "apply -f a -l app=web",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        ("apply -f a --yes", Some(ErrorKind::MissingRequiredArgument)),
        ("export claims --format json --pool p -l app=web", None),
        ("export leases", Some(ErrorKind::InvalidValue)),
        (
            "import a.csv - --pool shared/p --report r.csv --dry-run",
            None,
        ),
        ("import dir --from host-local --node n", None),
        ("import", Some(ErrorKind::MissingRequiredArgument)),
        ("import a --from netbox", Some(ErrorKind::InvalidValue)),
        (
            "import a --node n",
            Some(ErrorKind::MissingRequiredArgument),
        ),
        (
            "import a --pool p --space s",
            Some(ErrorKind::ArgumentConflict),
        ),
        ("-o xml tenant list", Some(ErrorKind::InvalidValue)),
        (
            "tenant list -o yaml --endpoint http://a:1 --endpoint http://b:1 --tenant acme",
            None,
        ),
        ("--timeout 0 tenant list", Some(ErrorKind::ValueValidation)),
        (
            "",
            Some(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ),
    ];
    for (line, expected) in table {
        let words = std::iter::once("ipamctl").chain(line.split_whitespace());
        assert_eq!(
            Cli::try_parse_from(words).err().map(|error| error.kind()),
            expected,
            "{line}"
        );
    }
}
