//! The refusals of Azure Resource Manager, which the emulator does not support yet. Each suggests an equivalent command.

mod row;
mod table;

use axum::http::{Method, Uri};
use sealock_api::Hint;
use sealock_core::excerpt;
use sealock_http::Query;

use self::{row::Row, table::TABLE};

/// Writes the command for a hint, for the emulator at a port of this machine. `None` if there is no such command.
pub type WriteCommand = fn(port: u16, &Hint) -> Option<String>;

/// Refuses requests to Resource Manager.
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

    /// Describes the refused request and suggests an alternative.
    pub(crate) fn refusal(&self, method: &Method, uri: &Uri) -> String {
        let path = requested_path(uri);
        // Clients check with HEAD whether a resource exists.
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut rows = TABLE.iter().filter(|row| row.method == *method);
        let found = rows.find_map(|row| Some((row, row.capture_names(&path)?)));
        let Some((row, names)) = found else {
            return match resource_type(&path) {
                Some(resource_type) => {
                    let method = excerpt(method.as_str());
                    let resource_type = excerpt(&resource_type);
                    format!("{UNSUPPORTED}, so it does not answer {method} for {resource_type}.")
                }
                None => format!("{UNSUPPORTED}."),
            };
        };
        let alternative = (row.hint)(&names).and_then(|hint| self.alternative(row, &hint));
        let (verb, object) = (row.verb, names.fill(row.object.text()));
        let alternative = alternative.map_or_else(String::new, |text| format!(" {text}"));
        format!("{UNSUPPORTED}, so it does not {verb} {object}.{alternative}")
    }

    fn alternative(&self, row: &Row, hint: &Hint) -> Option<String> {
        if let Hint::Advice { text } = hint {
            return Some(format!("{}.", capitalized(text)));
        }
        let command = (self.write_command)(self.port, hint)?;
        let (verb, it) = (capitalized(row.verb), row.object.pronoun());
        Some(format!("{verb} {it} with: {command}"))
    }
}

/// Returns the path of the requested resource without its scope. For a search by type, returns the path of that type: `az`
/// searches for a resource if the user names no resource group.
fn requested_path(uri: &Uri) -> Vec<String> {
    let segments: Vec<_> = uri.path().split('/').filter(|it| !it.is_empty()).collect();
    let is_word = |segment: Option<&&str>, word: &str| {
        segment.is_some_and(|segment| segment.eq_ignore_ascii_case(word))
    };
    let searched = is_word(segments.last(), "resources")
        .then(|| searched_path(uri))
        .flatten();
    searched.unwrap_or_else(|| {
        let mut indexes = (0..segments.len()).rev();
        let providers = indexes.find(|index| is_word(segments.get(*index), "providers"));
        let path = &segments[providers.map_or(0, |index| index + 1)..];
        path.iter().map(|segment| (*segment).to_owned()).collect()
    })
}

/// Returns the path of the resources with the type, and possibly the name, in the filter of a search.
fn searched_path(uri: &Uri) -> Option<Vec<String>> {
    let query = Query::from_uri(uri);
    let filter = query.first_ignoring_case("$filter")?;
    let resource_type = filter_value(filter, "resourcetype")?;
    let path = resource_type.split('/').chain(filter_value(filter, "name"));
    Some(path.map(ToOwned::to_owned).collect())
}

/// Returns the text that a field must equal in a filter.
fn filter_value<'a>(filter: &'a str, field: &str) -> Option<&'a str> {
    let condition = format!("{field} eq '");
    let start = filter.to_ascii_lowercase().find(&condition)? + condition.len();
    filter[start..].split('\'').next()
}

/// Returns the type of the resource at a path: its namespace, and every other segment after it.
fn resource_type(path: &[String]) -> Option<String> {
    let (namespace, rest) = path.split_first()?;
    if !namespace.contains('.') {
        return None;
    }
    let types = rest.iter().step_by(2);
    Some(types.fold(namespace.clone(), |text, segment| {
        format!("{text}/{segment}")
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
    fn each_row_of_the_table_matches_its_path() {
        for (index, row) in TABLE.iter().enumerate() {
            let uri = format!("/{}", row.path.replace("{}", "name1"))
                .parse()
                .unwrap();
            let path = requested_path(&uri);
            let mut found = TABLE.iter().filter(|it| it.method == row.method);
            let found = found.find(|it| it.capture_names(&path).is_some()).unwrap();
            assert_eq!(found.path, row.path, "row {index}");
            let names = row.capture_names(&path).unwrap();
            let object = names.fill(row.object.text());
            assert!(!object.contains("''"), "{object}");
        }
    }

    #[test]
    fn scope_and_case_of_a_path_are_ignored() {
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
    fn search_by_type_and_name_is_recognised() {
        let search = |filter: &str| refusal("GET", &format!("/subscriptions/s/resources?{filter}"));
        let by_type = "%24filter=resourceType%20eq%20%27Microsoft.KeyVault%2Fvaults%27";
        assert_eq!(
            search(by_type),
            ", so it does not list vaults. List them with: list_vaults at 5000"
        );
        assert_eq!(
            search(&format!("api-version=1&{by_type}+and+name+eq+%27kv1%27")),
            ", so it does not show the vault 'kv1'. Show it with: show_vault at 5000"
        );
        for other in [
            "",
            "$filter=",
            "$filter=resourceType",
            "$filter=name+eq+%27kv1%27",
        ] {
            assert_eq!(search(other), ", so it does not list resources.");
        }
    }

    #[test]
    fn resource_without_a_row_is_described_by_its_type() {
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
    fn invalid_name_is_quoted_without_a_command() {
        let vaults = "/providers/Microsoft.KeyVault/vaults/";
        assert_eq!(
            refusal("PUT", &format!("{vaults}$(reboot){{1}}")),
            ", so it does not create the vault '$(reboot){1}'."
        );
        assert!(refusal("PUT", &format!("{vaults}{}", "x".repeat(5000))).len() < 300);
    }
}
