//! The contract of the control API: its `OpenAPI` document.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::Answer;

const BASE: &str = "/_sealock/v1";

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let document = include_str!("../../docs/openapi.json");
    serde_json::from_str(document).expect("docs/openapi.json is JSON")
});

/// The validator of each type, by its reference.
static TYPES: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let schemas = DOCUMENT["components"]["schemas"].as_object();
    let names = schemas.into_iter().flat_map(|schemas| schemas.keys());
    let validators = names.map(|name| {
        let reference = format!("#/components/schemas/{name}");
        let schema = json!({"$ref": reference, "components": DOCUMENT["components"]});
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        (reference, validator)
    });
    validators.collect()
});

/// Checks that an answer of the control API conforms to its document. Refusals before routing to a service, such as
/// of a host or a method, are not part of it.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(path) = path.strip_prefix(BASE) else {
        return;
    };
    if method == "HEAD" || matches!(answer.status, 400 | 405 | 421) && !is_problem(answer) {
        return;
    }
    let what = format!("{method} {path}: {answer:?}");
    if answer.status >= 400 {
        assert!(is_problem(answer), "no problem: {what}");
        let problem = answer.json();
        validate("#/components/schemas/Problem", &problem, &what);
        assert_eq!(problem["status"], answer.status, "{what}");
        return;
    }
    let responses = &operation(method, path)["responses"];
    let response = &responses[answer.status.to_string()];
    assert!(
        response.is_object(),
        "a status that is not described: {what}"
    );
    match response["content"]
        .as_object()
        .and_then(|it| it.iter().next())
    {
        None => assert!(answer.body.is_empty(), "{what}"),
        Some((media_type, content)) => {
            let found = answer.header("content-type");
            assert_eq!(found, media_type, "{what}");
            if let Some(reference) = content["schema"]["$ref"].as_str() {
                validate(reference, &answer.json(), &what);
            }
        }
    }
}

fn is_problem(answer: &Answer) -> bool {
    let content_type = answer.headers.get("content-type");
    content_type.is_some_and(|it| *it == "application/problem+json")
}

/// Finds the operation at a path.
fn operation(method: &str, path: &str) -> &'static Value {
    let segments: Vec<_> = path.split('/').collect();
    let matches = |template: &str| {
        let template: Vec<_> = template.split('/').collect();
        template.len() == segments.len()
            && template
                .iter()
                .zip(&segments)
                .all(|(one, other)| one == other || one.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().into_iter().flatten();
    let mut found = paths.filter(|(template, _)| matches(template));
    let method = method.to_lowercase();
    let operation = found.find_map(|(_, item)| item.get(&method));
    operation.unwrap_or_else(|| panic!("{method} {path} is not described"))
}

fn validate(reference: &str, json: &Value, what: &str) {
    let errors = TYPES[reference].iter_errors(json);
    let errors: Vec<_> = errors.map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {what}");
}
