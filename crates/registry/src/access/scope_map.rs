use std::{fmt, str::FromStr};

use sealock_core::{ScopeMapName, TokenName, excerpt};
use sealock_entra::{Caller, SystemData};
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Refusal, Registry, RepositoryName,
    access::permissions::{Action, Pattern, Permissions},
};

pub(crate) const SCOPE_MAPS: Table<ScopeMapRecord> = Table::content("scope-maps");

/// The limit of a stored scope map in bytes: it is one record.
const RECORD_LIMIT: usize = 3500;

/// One action of a scope map: `repositories/NAME/content/read` and its like. The name may end with `*`.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-token-based-repository-permissions>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeMapAction {
    pattern: Pattern,
    action: Action,
}

/// The endings of scope map actions, each with the action that it allows.
const ACTIONS: [(&str, Action); 5] = [
    ("/content/read", Action::Pull),
    ("/content/write", Action::Push),
    ("/content/delete", Action::Delete),
    ("/metadata/read", Action::MetadataRead),
    ("/metadata/write", Action::MetadataWrite),
];

impl FromStr for ScopeMapAction {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::ScopeMapActionInvalid(excerpt(text).to_owned());
        let rest = text.strip_prefix("repositories/").ok_or_else(invalid)?;
        let (name, action) = ACTIONS
            .iter()
            .find_map(|(end, action)| Some((rest.strip_suffix(end)?, *action)))
            .ok_or_else(invalid)?;
        let pattern = match name.strip_suffix('*') {
            // The prefix must be the start of a valid name.
            Some(prefix) => {
                let name = format!("{prefix}x");
                name.parse::<RepositoryName>().map_err(|_| invalid())?;
                Pattern::Prefix(prefix.to_owned())
            }
            None => {
                name.parse::<RepositoryName>().map_err(|_| invalid())?;
                Pattern::Exact(name.to_owned())
            }
        };
        Ok(Self { pattern, action })
    }
}

impl fmt::Display for ScopeMapAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = ACTIONS
            .iter()
            .find_map(|(end, action)| (*action == self.action).then_some(*end))
            .unwrap_or_default();
        match &self.pattern {
            Pattern::Exact(name) => write!(f, "repositories/{name}{end}"),
            Pattern::Prefix(prefix) => write!(f, "repositories/{prefix}*{end}"),
        }
    }
}

impl TryFrom<String> for ScopeMapAction {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<ScopeMapAction> for String {
    fn from(action: ScopeMapAction) -> Self {
        action.to_string()
    }
}

/// The scope maps that every registry has, as Azure exports them.
///
/// The right to pull does not include listing, so that a lost token does not reveal the repositories.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-token-based-repository-permissions#concepts>,
/// <https://github.com/Azure/acr/issues/600>, <https://github.com/Azure/acr/issues/690>
const BUILT_IN: [(&str, &str, &[Action]); 5] = [
    (
        "_repositories_admin",
        "Can perform all read, write and delete operations on the registry",
        &[
            Action::MetadataRead,
            Action::MetadataWrite,
            Action::Pull,
            Action::Push,
            Action::Delete,
        ],
    ),
    (
        "_repositories_pull",
        "Can pull any repository of the registry",
        &[Action::Pull],
    ),
    (
        "_repositories_pull_metadata_read",
        "Can perform all read operations on the registry",
        &[Action::Pull, Action::MetadataRead],
    ),
    (
        "_repositories_push",
        "Can push to any repository of the registry",
        &[Action::Pull, Action::Push],
    ),
    (
        "_repositories_push_metadata_write",
        "Can perform all read and write operations on the registry",
        &[
            Action::MetadataRead,
            Action::MetadataWrite,
            Action::Pull,
            Action::Push,
        ],
    ),
];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScopeMapRecord {
    description: Option<String>,
    actions: Vec<ScopeMapAction>,
    system_data: SystemData,
    /// The number of times that a token was given it. A deletion that has not seen the latest assignment conflicts with
    /// it, instead of leaving a token without a scope map.
    assignments: u64,
}

impl ScopeMapRecord {
    fn check_size(&self, name: &ScopeMapName) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).map_err(Error::internal)?.len();
        if bytes > RECORD_LIMIT {
            return Err(Refusal::ScopeMapTooLarge {
                name: name.clone(),
                bytes,
                limit: RECORD_LIMIT,
            }
            .into());
        }
        Ok(())
    }
}

/// A scope map: the permissions of the tokens that use it.
#[derive(Clone, Debug)]
pub struct ScopeMap {
    /// Its name.
    pub name: ScopeMapName,
    /// Its description.
    pub description: Option<String>,
    /// The actions that it allows.
    pub actions: Vec<ScopeMapAction>,
    /// Its history. `None` for a built-in scope map.
    pub system_data: Option<SystemData>,
}

impl ScopeMap {
    pub(crate) fn permissions(&self) -> Permissions {
        let actions = self.actions.iter();
        let grants = actions.map(|found| (found.pattern.clone(), vec![found.action]));
        Permissions::in_repositories(grants.collect())
    }

    fn stored(name: ScopeMapName, record: ScopeMapRecord) -> Self {
        Self {
            name,
            description: record.description,
            actions: record.actions,
            system_data: Some(record.system_data),
        }
    }

    fn built_in() -> impl Iterator<Item = Self> {
        BUILT_IN.iter().filter_map(|(name, description, actions)| {
            Some(Self {
                name: name.parse().ok()?,
                description: Some((*description).to_owned()),
                actions: actions
                    .iter()
                    .map(|action| ScopeMapAction {
                        pattern: Pattern::Prefix(String::new()),
                        action: *action,
                    })
                    .collect(),
                system_data: None,
            })
        })
    }
}

impl Registry {
    /// Lists the scope maps, the built-in ones first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn scope_maps(&self) -> Result<Vec<ScopeMap>, Error> {
        let stored = self.named_records(&SCOPE_MAPS).await?.into_iter();
        let stored = stored.map(|(name, record)| ScopeMap::stored(name, record));
        Ok(ScopeMap::built_in().chain(stored).collect())
    }

    /// Returns the scope map of this name.
    ///
    /// # Errors
    /// [`Refusal::ScopeMapUnknown`]
    pub async fn scope_map(&self, name: &ScopeMapName) -> Result<ScopeMap, Error> {
        if let Some(found) = ScopeMap::built_in().find(|map| map.name == *name) {
            return Ok(found);
        }
        match self.scope_map_record(name).await? {
            Some(record) => Ok(ScopeMap::stored(name.clone(), record.value)),
            None => Err(self.scope_map_unknown(name).into()),
        }
    }

    /// Creates a scope map, or replaces an existing one. The returned flag is true for a new one. A change reaches the
    /// tokens that use it when they next log in.
    ///
    /// # Errors
    /// [`Refusal::ScopeMapBuiltIn`], [`Refusal::ScopeMapTooLarge`]
    pub async fn put_scope_map(
        &self,
        name: &ScopeMapName,
        description: Option<String>,
        actions: Vec<ScopeMapAction>,
        author: &Caller,
    ) -> Result<(ScopeMap, bool), Error> {
        check_changeable(name)?;
        let now = self.clock.now();
        let _publication = self.lock_publication().await?;
        let put = self.store.update(|| async {
            let existing = self.scope_map_record(name).await?;
            let record = ScopeMapRecord {
                description: description.clone(),
                actions: actions.clone(),
                system_data: match &existing {
                    Some(existing) => existing.system_data.clone().changed_by(author, now),
                    None => SystemData::new(author, now),
                },
                assignments: existing.as_ref().map_or(0, |existing| existing.assignments),
            };
            record.check_size(name)?;
            let key = [&*self.id, name.as_str()];
            let batch = Batch::new()
                .expect_same(&SCOPE_MAPS, &key, existing.as_ref())
                .put(&SCOPE_MAPS, &key, &record);
            let scope_map = ScopeMap::stored(name.clone(), record);
            Ok((batch, (scope_map, existing.is_none())))
        });
        put.await
    }

    /// Deletes a scope map that no token uses.
    ///
    /// # Errors
    /// [`Refusal::ScopeMapUnknown`], [`Refusal::ScopeMapBuiltIn`], [`Refusal::ScopeMapInUse`]
    pub async fn delete_scope_map(&self, name: &ScopeMapName) -> Result<(), Error> {
        check_changeable(name)?;
        let key = [&*self.id, name.as_str()];
        let deleted = self.store.update(|| async {
            let existing = self
                .scope_map_record(name)
                .await?
                .ok_or_else(|| self.scope_map_unknown(name))?;
            if let Some(token) = self.token_using(name).await? {
                return Err(Refusal::ScopeMapInUse {
                    name: name.clone(),
                    token,
                }
                .into());
            }
            let batch = Batch::new()
                .expect(&SCOPE_MAPS, &key, &existing)
                .delete(&SCOPE_MAPS, &key);
            Ok((batch, ()))
        });
        deleted.await
    }

    fn scope_map_unknown(&self, name: &ScopeMapName) -> Refusal {
        Refusal::ScopeMapUnknown {
            registry: self.record.name.clone(),
            name: name.clone(),
        }
    }

    async fn token_using(&self, scope_map: &ScopeMapName) -> Result<Option<TokenName>, Error> {
        let tokens = self.tokens().await?.into_iter();
        let mut users = tokens.filter(|token| token.scope_map == *scope_map);
        Ok(users.next().map(|token| token.name))
    }

    async fn scope_map_record(
        &self,
        name: &ScopeMapName,
    ) -> Result<Option<Record<ScopeMapRecord>>, Error> {
        Ok(self
            .store
            .get(&SCOPE_MAPS, &[&self.id, name.as_str()])
            .await?)
    }

    /// Adds to `batch` the assignment of the scope map to a token. The scope map must exist.
    pub(crate) async fn assign_scope_map(
        &self,
        name: &ScopeMapName,
        batch: Batch,
    ) -> Result<Batch, Error> {
        if is_built_in(name) {
            return Ok(batch);
        }
        let existing = self
            .scope_map_record(name)
            .await?
            .ok_or_else(|| self.scope_map_unknown(name))?;
        let mut record = existing.value.clone();
        record.assignments += 1;
        let key = [&*self.id, name.as_str()];
        Ok(batch
            .expect(&SCOPE_MAPS, &key, &existing)
            .put(&SCOPE_MAPS, &key, &record))
    }
}

fn is_built_in(name: &ScopeMapName) -> bool {
    ScopeMap::built_in().any(|map| map.name == *name)
}

fn check_changeable(name: &ScopeMapName) -> Result<(), Refusal> {
    if is_built_in(name) {
        return Err(Refusal::ScopeMapBuiltIn(name.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_map_actions_are_parsed_and_displayed() {
        for good in [
            "repositories/hello/content/read",
            "repositories/a/b/metadata/write",
            "repositories/*/content/delete",
            "repositories/team/*/content/write",
            "repositories/sample*/metadata/read",
            "repositories/content/read/content/read",
        ] {
            assert_eq!(good.parse::<ScopeMapAction>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "repositories/hello",
            "repositories/hello/content/list",
            "repositories//content/read",
            "repositories/Hello/content/read",
            "repositories/*a/content/read",
            "repositories/a*b/content/read",
            "repositories/**/content/read",
            "gateway/g/config/read",
        ] {
            assert!(bad.parse::<ScopeMapAction>().is_err(), "{bad}");
        }
    }
}
