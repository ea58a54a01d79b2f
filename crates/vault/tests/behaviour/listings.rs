use sealock_vault::{KeyChange, KeyItem, KeySpec, KeyType, Listing, Page, Result, VaultSettings};

use crate::world::{World, operator};

/// Key names in order; a prefix precedes the longer name.
const NAMES: [&str; 7] = ["a", "a-b", "ab", "b", "b0", "c", "d"];

impl World {
    async fn create_named(&self, vault: &str, name: &str) {
        let spec = KeySpec {
            kty: KeyType::Ec,
            ..KeySpec::default()
        };
        let asked = Ok((spec, KeyChange::default()));
        let (vault, key) = (vault.parse().unwrap(), name.parse().unwrap());
        self.vaults
            .create_key(&operator(), &vault, &key, asked)
            .await
            .unwrap();
    }
}

/// Lists all pages, and asserts that each but the last is full.
async fn list_all_pages<T>(
    limit: usize,
    list: impl AsyncFn(Result<Page>) -> Result<Listing<T>>,
) -> Vec<Vec<T>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let Listing { entries, next } = list(Ok(Page { after, limit })).await.unwrap();
        assert!(entries.len() == limit || next.is_none());
        pages.push(entries);
        after = next;
        if after.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn active_and_deleted_keys_are_listed_separately_in_pages() {
    let world = World::new().await;
    for vault in ["kv0", "kv10"] {
        let settings = VaultSettings::default();
        let name = vault.parse().unwrap();
        world
            .vaults
            .create_vault(&operator(), &name, settings)
            .await
            .unwrap();
        world.create_named(vault, "elsewhere").await;
    }
    let active = async |page| {
        let vaults = &world.vaults;
        vaults.list_keys(&operator(), &world.vault, page).await
    };
    let deleted = async |page| {
        let vaults = &world.vaults;
        vaults
            .list_deleted_keys(&operator(), &world.vault, page)
            .await
    };
    assert_eq!(list_all_pages(25, active).await, [vec![]]);
    for name in NAMES {
        world.create_named("kv1", name).await;
    }
    for name in ["a-b", "b", "d"] {
        let key = name.parse().unwrap();
        world
            .vaults
            .delete_key(&operator(), &world.vault, &key)
            .await
            .unwrap();
    }
    let names = |pages: Vec<Vec<KeyItem>>| -> Vec<String> {
        let names = |page: &Vec<KeyItem>| {
            let names: Vec<_> = page
                .iter()
                .map(|key| key.current.kid.key.as_str())
                .collect();
            names.join(" ")
        };
        pages.iter().map(names).collect()
    };
    for (limit, active_pages, deleted_pages) in [
        (1, &["a", "ab", "b0", "c"][..], &["a-b", "b", "d"][..]),
        (2, &["a ab", "b0 c"], &["a-b b", "d"]),
        (3, &["a ab b0", "c"], &["a-b b d"]),
        (4, &["a ab b0 c"], &["a-b b d"]),
        (25, &["a ab b0 c"], &["a-b b d"]),
    ] {
        assert_eq!(
            names(list_all_pages(limit, active).await),
            active_pages,
            "{limit}"
        );
        assert_eq!(
            names(list_all_pages(limit, deleted).await),
            deleted_pages,
            "{limit}"
        );
    }
    // A page may start after a name that does not exist.
    let after = Page {
        after: Some("aa".to_owned()),
        limit: 1,
    };
    let found = active(Ok(after)).await.unwrap();
    assert_eq!(found.entries[0].current.kid.key.as_str(), "ab");
    world.advance_days(90);
    assert_eq!(names(list_all_pages(1, deleted).await), [""]);
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let world = World::new().await;
    world.create_named("kv1", "k10").await;
    for _ in 0..5 {
        world.create_ec_key().await.unwrap();
    }
    let list = async |page| {
        let vaults = &world.vaults;
        vaults
            .list_versions(&operator(), &world.vault, &world.key, page)
            .await
    };
    let mut expected: Vec<_> = world
        .whole_key()
        .await
        .unwrap()
        .versions()
        .cloned()
        .collect();
    expected.sort_by_key(|version| version.kid.version.to_string());
    for (limit, pages) in [(1, 5), (2, 3), (5, 1), (25, 1)] {
        let found = list_all_pages(limit, list).await;
        assert_eq!(found.len(), pages);
        assert_eq!(found.concat(), expected);
    }
}
