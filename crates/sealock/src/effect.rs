use std::iter;

use sealock_api::{Cause, Changed, Effect, RevokedRegistry};
use serde::de::DeserializeOwned;

use crate::{
    client::{Answer, Client},
    commands::Commands,
    error::Error,
    output::{BAD, GOOD, Output},
};

/// Prints the result of a change, followed by a line for each registry that it affected.
pub(crate) fn show_change<T: DeserializeOwned>(
    answer: &Answer<Changed<T>>,
    describe: impl FnOnce(&T) -> String,
    client: &Client,
    output: &mut Output,
) -> Result<(), Error> {
    output.show(answer, |change| {
        let result = describe(&change.changed);
        let effects = effects(&change.effect, client.commands());
        iter::once(result)
            .chain(effects)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// Describes the effect on each registry in its own line.
fn effects(effect: &Effect, commands: &Commands) -> Vec<String> {
    let revoked = effect.revoked.iter().map(revocation);
    let restored = effect
        .restored
        .iter()
        .map(|registry| format!("registry {registry} is {GOOD}available{GOOD:#}"));
    let behind = effect.behind.iter().map(|behind| {
        let (registry, cause) = (&behind.registry, &behind.cause);
        let remedy = commands.sentence(behind.remedy.as_slice());
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        format!("{BAD}warning:{BAD:#} registry {registry} cannot follow its key: {cause}{remedy}")
    });
    let incomplete = (!effect.is_complete).then(|| {
        let see = commands.command("status");
        format!(
            "{BAD}warning:{BAD:#} the state of a registry could not be read, so this list may be incomplete; see: {see}"
        )
    });
    revoked
        .chain(restored)
        .chain(behind)
        .chain(incomplete)
        .collect()
}

fn revocation(revoked: &RevokedRegistry) -> String {
    let RevokedRegistry {
        registry,
        cause,
        from,
    } = revoked;
    let loss = match cause {
        Cause::KeyNotFound | Cause::VaultNotFound => {
            "; without a backup of the key, its content is lost"
        }
        _ => "",
    };
    match from {
        None => format!("registry {registry} is {BAD}revoked{BAD:#}: {cause}{loss}"),
        Some(from) => {
            format!("registry {registry} will be {BAD}revoked{BAD:#} at {from}: {cause}{loss}")
        }
    }
}
