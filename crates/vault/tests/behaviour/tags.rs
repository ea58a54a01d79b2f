use std::collections::BTreeMap;

use sealock_vault::{KeyChange, KeyType};

use crate::world::{World, wire};

fn tagged(tags: &BTreeMap<String, String>) -> KeyChange {
    KeyChange {
        tags: Some(tags.clone()),
        ..KeyChange::default()
    }
}

/// Returns tags whose names and values have `length` characters.
fn tags(count: usize, filling: char, length: usize) -> BTreeMap<String, String> {
    let tag = |n: usize| {
        let fill = |length: usize| filling.to_string().repeat(length);
        (format!("{n:02}{}", fill(length - 2)), fill(length))
    };
    (0..count).map(tag).collect()
}

/// The limit is 15 tags of 256 characters each, even of characters that take the most bytes in the store.
#[tokio::test]
async fn tags_beyond_azures_limits_are_refused() {
    for filling in ['x', '\u{1F511}', '\u{1}', '"'] {
        let world = World::new().await;
        let largest = tags(15, filling, 256);
        let created = world.create(KeyType::Ec, tagged(&largest)).await.unwrap();
        assert_eq!(created.current.tags, largest);
        let got = world
            .vaults
            .get_key(&world.registry, &world.identifier())
            .await;
        assert_eq!(got.unwrap().tags, largest, "{filling:?}");
        let bad = (400, "BadParameter", None);
        for refused in [tags(16, filling, 2), tags(1, filling, 257)] {
            assert_eq!(wire(world.update(tagged(&refused)).await), bad);
        }
        assert_eq!(world.whole_key().await.unwrap(), created);
    }
}

#[tokio::test]
async fn update_replaces_the_tags_of_one_version() {
    let world = World::new().await;
    let first = world.create(KeyType::Ec, tagged(&tags(15, 'x', 9))).await;
    let first = first.unwrap().current;
    let fewer = tags(2, 'y', 9);
    let (key, changed) = world.update(tagged(&fewer)).await.unwrap();
    assert_eq!((&changed.tags, &key.current.tags), (&fewer, &fewer));
    assert_eq!(world.whole_key().await.unwrap(), key);

    // Absent tags are kept, empty tags clear them, and a new version starts without tags.
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
