//! Manifests for the command line: YAML, JSON, those of other systems.

use allocator::name::Name;
use ctl::reading::documents;

/// What was taken is described by one document each, and that one is taken as the same.
pub(super) fn read(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let acme = Name::new("acme").ok();
    let Ok(found) = documents(text, acme.as_ref()) else {
        return false;
    };
    let is_taken = !found.is_empty();
    for document in found {
        let again = documents(&document.to_string(), None);
        assert_eq!(
            again,
            Ok(vec![document]),
            "a document is not what it was, of {text:?}"
        );
    }
    is_taken
}
