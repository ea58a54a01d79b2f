//! The OpenAPI document of the control API.
//!
//! <https://spec.openapis.org/oas/v3.1.0>

use aide::openapi::{
    Components, Info, MediaType, OpenApi, Operation as Described, Parameter, ParameterData,
    ParameterSchemaOrContent, PathItem, PathStyle, Paths, QueryStyle, ReferenceOr, RequestBody,
    Response, Responses, SchemaObject, SecurityRequirement, SecurityScheme, Server, StatusCode,
    Tag,
};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::{BASE, JSON, Operation, PROBLEM_JSON, Problem, operations};

/// The name of the security scheme.
const CONTROL_TOKEN: &str = "controlToken";

/// Builds the document.
pub fn document() -> OpenApi {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut document = Document {
        generator: settings.into_generator(),
        paths: Paths::default(),
        groups: Vec::new(),
    };
    operations::open(&mut document);
    operations::emulator(&mut document);
    operations::clock(&mut document);
    operations::arm(&mut document);
    operations::vaults(&mut document);
    operations::keys(&mut document);
    operations::principals(&mut document);
    operations::registries(&mut document);
    operations::logins(&mut document);
    document.finish()
}

/// Writes the document as JSON.
pub fn json() -> String {
    let json = serde_json::to_string_pretty(&document());
    json.unwrap_or_default() + "\n"
}

/// The document under construction.
pub(crate) struct Document {
    generator: SchemaGenerator,
    paths: Paths,
    groups: Vec<&'static str>,
}

impl Document {
    /// Adds an operation.
    pub(crate) fn add<O: Operation>(&mut self) {
        if !self.groups.contains(&O::GROUP) {
            self.groups.push(O::GROUP);
        }
        let in_path = self.fields::<O>().into_iter();
        let in_query = self.fields::<O::Query>().into_iter();
        let parameters = in_path
            .map(Field::in_path)
            .chain(in_query.map(Field::in_query))
            .map(ReferenceOr::Item)
            .collect();
        let described = Described {
            operation_id: Some(O::NAME.to_owned()),
            summary: Some(O::SUMMARY.trim().to_owned()),
            tags: vec![O::GROUP.to_owned()],
            parameters,
            request_body: self.body::<O>(),
            responses: Some(self.responses::<O>()),
            security: if O::IS_OPEN {
                vec![SecurityRequirement::default()]
            } else {
                Vec::new()
            },
            ..Described::default()
        };
        let path = self.paths.paths.entry(O::PATH.to_owned());
        let item = path.or_insert_with(|| ReferenceOr::Item(PathItem::default()));
        let ReferenceOr::Item(item) = item else {
            return;
        };
        let slot = match O::METHOD {
            http::Method::DELETE => &mut item.delete,
            http::Method::PATCH => &mut item.patch,
            http::Method::POST => &mut item.post,
            http::Method::PUT => &mut item.put,
            _ => &mut item.get,
        };
        *slot = Some(described);
    }

    /// Lists the fields of a struct.
    fn fields<T: JsonSchema>(&mut self) -> Vec<Field> {
        let schema = T::json_schema(&mut self.generator);
        let required = schema.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object).cloned();
        let fields = properties.unwrap_or_default().into_iter();
        let fields = fields.filter_map(|(name, schema)| {
            Some(Field {
                is_required: required.iter().any(|required| *required == name),
                schema: Schema::try_from(schema).ok()?,
                name,
            })
        });
        fields.collect()
    }

    fn body<O: Operation>(&mut self) -> Option<ReferenceOr<RequestBody>> {
        let fields = self.fields::<O::Body>();
        if fields.is_empty() {
            return None;
        }
        let schema = self.generator.subschema_for::<O::Body>();
        Some(ReferenceOr::Item(RequestBody {
            content: [(JSON.to_owned(), media(schema))].into_iter().collect(),
            required: fields.iter().any(|field| field.is_required),
            ..RequestBody::default()
        }))
    }

    fn responses<O: Operation>(&mut self) -> Responses {
        let mut responses = Responses::default();
        for &status in O::STATUSES {
            let code = http::StatusCode::from_u16(status).unwrap_or_default();
            let mut response = Response {
                description: code.canonical_reason().unwrap_or_default().to_owned(),
                ..Response::default()
            };
            if code != http::StatusCode::NO_CONTENT {
                let schema = self.generator.subschema_for::<O::Answer>();
                let media_type = O::MEDIA_TYPE.to_owned();
                response.content.insert(media_type, media(schema));
            }
            let status = StatusCode::Code(status);
            responses
                .responses
                .insert(status, ReferenceOr::Item(response));
        }
        let problem = self.generator.subschema_for::<Problem>();
        responses.default = Some(ReferenceOr::Item(Response {
            description: "A refusal".to_owned(),
            content: [(PROBLEM_JSON.to_owned(), media(problem))]
                .into_iter()
                .collect(),
            ..Response::default()
        }));
        responses
    }

    fn finish(mut self) -> OpenApi {
        let schemas = self.generator.take_definitions(true).into_iter();
        let schemas = schemas.filter_map(|(name, schema)| {
            let json_schema = Schema::try_from(schema).ok()?;
            Some((name, object(json_schema)))
        });
        let token = SecurityScheme::Http {
            scheme: "bearer".to_owned(),
            bearer_format: None,
            description: Some(
                "The control API's token. Clients on the emulator's machine need none while the friendly door is open."
                    .to_owned(),
            ),
            extensions: IndexMap::default(),
        };
        OpenApi {
            info: Info {
                title: "Sealock's control API".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..Info::default()
            },
            servers: vec![Server {
                url: BASE.to_owned(),
                ..Server::default()
            }],
            paths: Some(self.paths),
            components: Some(Components {
                schemas: schemas.collect(),
                security_schemes: [(CONTROL_TOKEN.to_owned(), ReferenceOr::Item(token))]
                    .into_iter()
                    .collect(),
                ..Components::default()
            }),
            // The second alternative, without the token, holds while the friendly door is open.
            security: vec![
                [(CONTROL_TOKEN.to_owned(), Vec::new())]
                    .into_iter()
                    .collect(),
                SecurityRequirement::default(),
            ],
            tags: self
                .groups
                .into_iter()
                .map(|group| Tag {
                    name: group.to_owned(),
                    ..Tag::default()
                })
                .collect(),
            ..OpenApi::default()
        }
    }
}

/// A field of a path or query.
struct Field {
    name: String,
    is_required: bool,
    schema: Schema,
}

impl Field {
    fn in_path(self) -> Parameter {
        Parameter::Path {
            parameter_data: self.data(),
            style: PathStyle::default(),
        }
    }

    fn in_query(self) -> Parameter {
        Parameter::Query {
            parameter_data: self.data(),
            allow_reserved: false,
            style: QueryStyle::default(),
            allow_empty_value: None,
        }
    }

    fn data(mut self) -> ParameterData {
        let description = self.schema.remove("description");
        let description = description.and_then(|text| Some(text.as_str()?.to_owned()));
        ParameterData {
            name: self.name,
            description,
            required: self.is_required,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(object(self.schema)),
            example: None,
            examples: IndexMap::default(),
            explode: None,
            extensions: IndexMap::default(),
        }
    }
}

fn media(schema: Schema) -> MediaType {
    MediaType {
        schema: Some(object(schema)),
        ..MediaType::default()
    }
}

fn object(json_schema: Schema) -> SchemaObject {
    SchemaObject {
        json_schema,
        external_docs: None,
        example: None,
    }
}
