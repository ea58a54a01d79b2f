//! The documents in docs/ are those that the types make.

use std::fs;

use sealock_api::{openapi, reference::reference};

#[test]
fn the_committed_documents_are_those_that_the_types_make() {
    for (file, made) in [
        ("openapi.json", openapi::json()),
        ("control-api-reference.md", reference()),
    ] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
        let committed = fs::read_to_string(format!("{path}{file}")).unwrap_or_default();
        assert!(
            made == committed,
            "docs/{file} is not what the types of crates/api make; write it anew with: make openapi"
        );
    }
}
