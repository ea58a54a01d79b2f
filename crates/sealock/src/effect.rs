use std::iter;

use sealock_api::{Cause, Changed, Effect, RevokedRegistry};

use crate::{
    commands::Commands,
    output::{BAD, GOOD},
};

/// Says what was done, and below it the registries that this reached.
pub(crate) fn told<T>(
    done: impl FnOnce(&T) -> String,
    change: &Changed<T>,
    commands: &Commands,
) -> String {
    let lines = iter::once(done(&change.changed)).chain(lines(&change.effect, commands));
    lines.collect::<Vec<_>>().join("\n")
}

/// Says what happened to each registry, a line for each.
fn lines(effect: &Effect, commands: &Commands) -> impl Iterator<Item = String> {
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
            "{BAD}warning:{BAD:#} the state of a registry could not be read, so this may not be all; see: {see}"
        )
    });
    let lines: Vec<_> = revoked
        .chain(restored)
        .chain(behind)
        .chain(incomplete)
        .collect();
    lines.into_iter()
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
