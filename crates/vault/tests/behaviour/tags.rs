use std::collections::BTreeMap;

use sealock_vault::{KeyChange, KeyType};

use crate::world::{World, wire};

fn tagged(tags: &BTreeMap<String, String>) -> KeyChange {
    KeyChange {
        tags: Some(tags.clone()),
        ..KeyChange::default()
    }
}

/// Names and values of so many characters.
fn tags(count: usize, filling: char, length: usize) -> BTreeMap<String, String> {
    let tag = |n: usize| {
        let fill = |length: usize| filling.to_string().repeat(length);
        (format!("{n:02}{}", fill(length - 2)), fill(length))
    };
    (0..count).map(tag).collect()
}

/// Fifteen of 256 characters each, also of those that take most bytes as they are stored.
#[tokio::test]
async fn a_key_has_as_many_and_as_long_tags_as_azure_permits() {
    for filling in ['x', '\u{1F511}', '\u{1}', '"'] {
        let world = World::new().await;
        let most = tags(15, filling, 256);
        let created = world.create(KeyType::Ec, tagged(&most)).await.unwrap();
        assert_eq!(created.current.tags, most);
        let got = world
            .vaults
            .get_key(&world.caller, &world.identifier())
            .await;
        assert_eq!(got.unwrap().tags, most, "{filling:?}");
        let bad = (400, "BadParameter", None);
        for refused in [tags(16, filling, 2), tags(1, filling, 257)] {
            assert_eq!(wire(world.update(tagged(&refused)).await), bad);
        }
        assert_eq!(world.shown().await.unwrap(), created);
    }
}

#[tokio::test]
async fn tags_replace_those_that_were_there_and_are_each_versions_own() {
    let world = World::new().await;
    let first = world.create(KeyType::Ec, tagged(&tags(15, 'x', 9))).await;
    let first = first.unwrap().current;
    let fewer = tags(2, 'y', 9);
    let (key, changed) = world.update(tagged(&fewer)).await.unwrap();
    assert_eq!((&changed.tags, &key.current.tags), (&fewer, &fewer));
    assert_eq!(world.shown().await.unwrap(), key);

    // Not said is as before, said to be none is none, and a new version begins with none.
    let (_, changed) = world.update(KeyChange::default()).await.unwrap();
    assert_eq!(changed.tags, fewer);
    let second = world.create_ec_key().await.unwrap();
    assert!(second.current.tags.is_empty());
    assert_eq!(second.version(&first.kid.version).unwrap().tags, fewer);
    world.update(tagged(&tags(3, 'z', 9))).await.unwrap();
    let (key, _) = world.update(tagged(&BTreeMap::new())).await.unwrap();
    assert!(key.current.tags.is_empty());
    assert_eq!(key.older[0].tags, fewer);

    world.delete_and_purge_key().await;
    let again = world.create_ec_key().await.unwrap();
    assert!(again.current.tags.is_empty());
}
