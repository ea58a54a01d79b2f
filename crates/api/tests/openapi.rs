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

/// A client writes a parameter of a path or query as text, and leaves it out if it has none.
#[test]
fn each_parameter_of_a_path_or_query_is_a_single_value() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    for operation in operations {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters {
            let mut schema = &parameter["schema"];
            if let Some(reference) = schema["$ref"].as_str() {
                schema = document.pointer(&reference[1..]).unwrap();
            }
            let kind = schema["type"].to_string() + &schema["oneOf"][0]["const"].to_string();
            let is_single =
                kind.contains('"') && !kind.contains("array") && !kind.contains("object");
            assert!(is_single, "{parameter}");
        }
    }
}
