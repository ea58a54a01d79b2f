//! The generated documents in docs/ match the types.

use std::fs;

use sealock_api::{openapi, reference::reference};

#[test]
fn committed_documents_match_the_types() {
    for (file, generated) in [
        ("openapi.json", openapi::json()),
        ("control-api-reference.md", reference()),
    ] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
        let committed = fs::read_to_string(format!("{path}{file}")).unwrap_or_default();
        assert!(
            generated == committed,
            "docs/{file} differs from the types in crates/api; generate it again with: make openapi"
        );
    }
}

/// Clients write each parameter of a path or query as text.
#[test]
fn parameters_of_paths_and_queries_are_single_values() {
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
