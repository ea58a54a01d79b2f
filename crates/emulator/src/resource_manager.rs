//! Azure Resource Manager, which is not there yet: a request to it is refused with the command that does the same.

mod row;
mod table;

use axum::http::{Method, Uri};
use sealock_api::Hint;
use sealock_core::excerpt;
use sealock_http::Query;

use self::{row::Row, table::TABLE};

/// Writes the command of a hint, for the emulator at a port of this machine. `None` if no command does it.
pub type WriteCommand = fn(port: u16, &Hint) -> Option<String>;

/// The refusal of whatever Resource Manager is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceManager {
    port: u16,
    write_command: WriteCommand,
}

const UNSUPPORTED: &str = "This version of the emulator does not support Azure Resource Manager";

impl ResourceManager {
    pub(crate) fn new(port: u16, write_command: WriteCommand) -> Self {
        Self {
            port,
            write_command,
        }
    }

    /// Says that a request cannot be answered, names what it asks for, and says what to do instead.
    pub(crate) fn refusal(&self, method: &Method, uri: &Uri) -> String {
        let asked = resource(uri);
        // Clients ask with HEAD whether something is there.
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut rows = TABLE.iter().filter(|row| row.method == *method);
        let found = rows.find_map(|row| Some((row, row.names(&asked)?)));
        let Some((row, names)) = found else {
            return match kind(&asked) {
                Some(kind) => {
                    let (method, kind) = (excerpt(method.as_str()), excerpt(&kind));
                    format!("{UNSUPPORTED}, so it does not answer {method} for {kind}.")
                }
                None => format!("{UNSUPPORTED}."),
            };
        };
        let instead = (row.hint)(&names).and_then(|hint| self.instead(row, &hint));
        let (verb, object) = (row.verb, names.put_into(row.object.text()));
        let instead = instead.map_or_else(String::new, |instead| format!(" {instead}"));
        format!("{UNSUPPORTED}, so it does not {verb} {object}.{instead}")
    }

    fn instead(&self, row: &Row, hint: &Hint) -> Option<String> {
        if let Hint::Advice { text } = hint {
            return Some(format!("{}.", capitalized(text)));
        }
        let command = (self.write_command)(self.port, hint)?;
        let (verb, it) = (capitalized(row.verb), row.object.pronoun());
        Some(format!("{verb} {it} with: {command}"))
    }
}

/// The path of what a request is about, without the scope that it lies in. Where resources of one type are sought, that is
/// the path of these: so does `az` find a resource whose group it is not told.
fn resource(uri: &Uri) -> Vec<String> {
    let segments: Vec<_> = uri.path().split('/').filter(|it| !it.is_empty()).collect();
    let is_word = |segment: Option<&&str>, word: &str| {
        segment.is_some_and(|segment| segment.eq_ignore_ascii_case(word))
    };
    let sought = is_word(segments.last(), "resources")
        .then(|| sought(uri))
        .flatten();
    sought.unwrap_or_else(|| {
        let mut places = (0..segments.len()).rev();
        let providers = places.find(|place| is_word(segments.get(*place), "providers"));
        let path = &segments[providers.map_or(0, |place| place + 1)..];
        path.iter().map(|segment| (*segment).to_owned()).collect()
    })
}

/// The path of the resources of the type, and perhaps of the name, that a filter wants.
fn sought(uri: &Uri) -> Option<Vec<String>> {
    let query = Query::from_uri(uri);
    let filter = query.first_ignoring_case("$filter")?;
    let kind = equal_to(filter, "resourcetype")?;
    let path = kind.split('/').chain(equal_to(filter, "name"));
    Some(path.map(ToOwned::to_owned).collect())
}

/// The text that a filter wants a field to equal.
fn equal_to<'a>(filter: &'a str, field: &str) -> Option<&'a str> {
    let begin = format!("{field} eq '");
    let place = filter.to_ascii_lowercase().find(&begin)? + begin.len();
    filter[place..].split('\'').next()
}

/// The type of the resource at a path: its namespace, and every other segment behind that.
fn kind(asked: &[String]) -> Option<String> {
    let (namespace, rest) = asked.split_first()?;
    if !namespace.contains('.') {
        return None;
    }
    let types = rest.iter().step_by(2);
    Some(types.fold(namespace.clone(), |kind, segment| {
        format!("{kind}/{segment}")
    }))
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: &str, uri: &str) -> String {
        let write = |port, hint: &Hint| {
            let json = serde_json::to_value(hint).ok()?;
            Some(format!("{} at {port}", json["action"].as_str()?))
        };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let refusal = ResourceManager::new(5000, write).refusal(&method, &uri.parse().unwrap());
        refusal.strip_prefix(UNSUPPORTED).unwrap().to_owned()
    }

    #[test]
    fn each_row_of_the_table_is_found_by_its_path() {
        for (place, row) in TABLE.iter().enumerate() {
            let uri = format!("/{}", row.path.replace("{}", "name1"))
                .parse()
                .unwrap();
            let asked = resource(&uri);
            let mut found = TABLE.iter().filter(|it| it.method == row.method);
            let found = found.find(|it| it.names(&asked).is_some()).unwrap();
            assert_eq!(found.path, row.path, "row {place}");
            let names = row.names(&asked).unwrap();
            let object = names.put_into(row.object.text());
            assert!(!object.contains("''"), "{object}");
        }
    }

    #[test]
    fn a_scope_and_the_case_of_words_mean_nothing() {
        let group = "/subscriptions/s/resourceGroups/providers";
        for path in [
            format!("{group}/providers/Microsoft.KeyVault/vaults/kv1"),
            format!("{group}//PROVIDERS/microsoft.keyvault/VAULTS/kv1/"),
            "/subscriptions/s/providers/Microsoft.KeyVault/vaults/kv1?api-version=1".to_owned(),
        ] {
            assert_eq!(
                refusal("PUT", &path),
                ", so it does not create the vault 'kv1'. Create it with: create_vault at 5000"
            );
        }
        let assigned = "/providers/Microsoft.Authorization/roleAssignments/a1";
        assert_eq!(
            refusal(
                "DELETE",
                &format!("{group}/providers/Microsoft.KeyVault/vaults/kv1{assigned}")
            ),
            ", so it does not delete the role assignment 'a1'. Delete it with: remove_role at 5000"
        );
    }

    #[test]
    fn a_resource_is_sought_by_type_and_name() {
        let sought = |filter: &str| refusal("GET", &format!("/subscriptions/s/resources?{filter}"));
        let by_type = "%24filter=resourceType%20eq%20%27Microsoft.KeyVault%2Fvaults%27";
        assert_eq!(
            sought(by_type),
            ", so it does not list vaults. List them with: list_vaults at 5000"
        );
        assert_eq!(
            sought(&format!("api-version=1&{by_type}+and+name+eq+%27kv1%27")),
            ", so it does not show the vault 'kv1'. Show it with: show_vault at 5000"
        );
        for other in [
            "",
            "$filter=",
            "$filter=resourceType",
            "$filter=name+eq+%27kv1%27",
        ] {
            assert_eq!(sought(other), ", so it does not list resources.");
        }
    }

    #[test]
    fn what_has_no_row_is_told_by_its_type_alone() {
        let network = "/subscriptions/s/providers/Microsoft.Network/virtualNetworks/n/subnets/x";
        assert_eq!(
            refusal("PUT", network),
            ", so it does not answer PUT for Microsoft.Network/virtualNetworks/subnets."
        );
        for path in [
            "/",
            "/metadata/endpoints",
            "/providers",
            "/subscriptions/s/locations",
        ] {
            assert_eq!(refusal("GET", path), ".", "{path}");
        }
        let long = format!("/providers/Microsoft.X/{}", "x".repeat(5000));
        assert!(refusal("GET", &long).len() < 300);
    }

    #[test]
    fn a_name_that_is_none_is_quoted_and_has_no_command() {
        let vaults = "/providers/Microsoft.KeyVault/vaults/";
        assert_eq!(
            refusal("PUT", &format!("{vaults}$(reboot){{1}}")),
            ", so it does not create the vault '$(reboot){1}'."
        );
        assert!(refusal("PUT", &format!("{vaults}{}", "x".repeat(5000))).len() < 300);
    }
}
