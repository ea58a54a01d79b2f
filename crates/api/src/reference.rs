//! The reference of the control API in Markdown, generated from the [document](crate::openapi).

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{BASE, openapi::document};

/// The prefix of references to schemas.
const SCHEMAS: &str = "#/components/schemas/";

/// Builds the reference.
pub fn reference() -> String {
    let document = serde_json::to_value(document()).unwrap_or_default();
    let mut out = String::from(
        "# The control API: reference\n\n\
         Generated from the types in `crates/api` by `make openapi`. Programs can read [openapi.json](openapi.json) instead. \
         [control-api.md](control-api.md) explains how to use the API.\n",
    );
    let _ = write!(out, "\nEvery path begins with `{BASE}`.\n");
    for group in array(&document["tags"]) {
        operations(&mut out, text(&group["name"]), &document["paths"]);
    }
    out.push_str("\n## Types\n");
    for (name, schema) in object(&document["components"]["schemas"]) {
        describe(&mut out, name, schema);
    }
    out
}

/// Lists the operations of a group.
fn operations(out: &mut String, group: &str, paths: &Value) {
    let _ = write!(
        out,
        "\n## {group}\n\n| operation | effect | request | response |\n|---|---|---|---|\n"
    );
    for (path, item) in object(paths) {
        for (method, operation) in object(item) {
            if text(&operation["tags"][0]) != group {
                continue;
            }
            let _ = writeln!(
                out,
                "| `{} {path}` | {} | {} | {} |",
                method.to_uppercase(),
                text(&operation["summary"]),
                request(operation),
                response(operation)
            );
        }
    }
}

/// Describes the body and the query of an operation.
fn request(operation: &Value) -> String {
    let body =
        object(&operation["requestBody"]["content"]).map(|(_, media)| kind(&media["schema"]));
    let query = array(&operation["parameters"])
        .filter(|parameter| text(&parameter["in"]) == "query")
        .map(|parameter| {
            let (name, meaning) = (text(&parameter["name"]), text(&parameter["description"]));
            format!("`?{name}=`: {}", cell(meaning))
        });
    body.chain(query).collect::<Vec<_>>().join("<br>")
}

/// Describes the responses of an operation that succeeds.
fn response(operation: &Value) -> String {
    let successes = object(&operation["responses"]).filter(|(status, _)| *status != "default");
    let responses = successes.map(|(status, response)| {
        let content = object(&response["content"]).next();
        match content {
            None => status.clone(),
            Some((media_type, media)) if media_type == crate::JSON => {
                format!("{status} {}", kind(&media["schema"]))
            }
            Some((media_type, _)) => format!("{status} `{media_type}`"),
        }
    });
    responses.collect::<Vec<_>>().join(", ")
}

/// Describes a type.
fn describe(out: &mut String, name: &str, schema: &Value) {
    let _ = write!(out, "\n### {name}\n\n");
    let description = text(&schema["description"]);
    if !description.is_empty() {
        let _ = write!(out, "{description}\n\n");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = writeln!(
            out,
            "A string that matches `{}`.",
            pattern.replace('|', "\\|")
        );
    }
    if schema["properties"].is_object() {
        fields(out, schema);
    }
    let variants: Vec<_> = array(&schema["oneOf"]).collect();
    if !variants.is_empty() {
        out.push_str("One of these:\n\n");
    }
    for variant in variants {
        let fields =
            object(&variant["properties"]).map(|(name, schema)| match schema["const"].as_str() {
                Some(word) => format!("`\"{name}\": \"{word}\"`"),
                None => format!("`{name}` ({})", kind(schema)),
            });
        let mut fields = fields.collect::<Vec<_>>().join(", ");
        if let Some(word) = variant["const"].as_str() {
            fields = format!("`{word}`");
        }
        let _ = writeln!(out, "- {fields}: {}", text(&variant["description"]));
    }
}

fn fields(out: &mut String, schema: &Value) {
    out.push_str("| field | type | meaning |\n|---|---|---|\n");
    for (name, field) in object(&schema["properties"]) {
        let is_required = array(&schema["required"]).any(|required| text(required) == name);
        let optional = if is_required { "" } else { ", optional" };
        let meaning = cell(text(&field["description"]));
        let _ = writeln!(out, "| `{name}` | {}{optional} | {meaning} |", kind(field));
    }
}

/// Names the type of a schema.
fn kind(schema: &Value) -> String {
    if let Some(name) = text(&schema["$ref"]).strip_prefix(SCHEMAS) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let either: Vec<_> = array(&schema["anyOf"]).map(kind).collect();
    if !either.is_empty() {
        return either.join(" or ");
    }
    let named = |word: &str| match word {
        "array" => format!("list of {}", kind(&schema["items"])),
        "string" if text(&schema["format"]) == "date-time" => "time".to_owned(),
        "object" => "object".to_owned(),
        word => word.to_owned(),
    };
    match &schema["type"] {
        Value::String(word) => named(word),
        Value::Array(words) => {
            let words = words.iter().map(|word| named(text(word)));
            words.collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

/// Escapes a text for the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
