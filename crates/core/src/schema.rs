/// Implements `JsonSchema` for a type that is a string with a pattern and a maximum length.
macro_rules! text_schema {
    ($name:ident, $pattern:literal, $max:literal) => {
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern, "maxLength": $max})
            }
        }
    };
}

pub(crate) use text_schema;
