/// Has JSON Schema describe a text by the pattern that it matches and by the number of its characters at most.
macro_rules! described {
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

pub(crate) use described;
