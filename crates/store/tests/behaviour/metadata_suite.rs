use std::ops::Bound;

use sealock_store::metadata::{Changes, Expectation, Metadata, Outcome};

pub(crate) async fn all(metadata: &dyn Metadata) {
    put_get_and_delete(metadata).await;
    a_range_is_sorted_and_bounded(metadata).await;
    expectations_guard_the_whole_batch(metadata).await;
    one_of_many_racing_writers_wins(metadata);
}

fn put(key: &str, value: &str) -> Changes {
    Changes {
        puts: vec![(key.into(), value.into())],
        ..Changes::default()
    }
}

fn expecting(mut changes: Changes, key: &str, expectation: Expectation) -> Changes {
    changes.expectations.push((key.into(), expectation));
    changes
}

async fn commit(metadata: &dyn Metadata, changes: Changes) -> bool {
    match metadata.apply(changes).unwrap() {
        Outcome::Applied(ticket) => {
            metadata.durable(ticket).await.unwrap();
            true
        }
        Outcome::Conflict => false,
    }
}

fn range(metadata: &dyn Metadata, start: Bound<&str>, end: &str) -> Vec<String> {
    metadata
        .range(start.map(|key| key.as_bytes().to_vec()), end.into())
        .map(|item| String::from_utf8(item.unwrap().0).unwrap())
        .collect()
}

pub(crate) async fn put_get_and_delete(metadata: &dyn Metadata) {
    assert_eq!(metadata.get(b"pgd/a").unwrap(), None);
    assert!(commit(metadata, put("pgd/a", "1")).await);
    assert!(commit(metadata, put("pgd/a", "2")).await);
    assert_eq!(metadata.get(b"pgd/a").unwrap(), Some(b"2".to_vec()));
    let delete = Changes {
        deletes: vec!["pgd/a".into(), "pgd/never-there".into()],
        ..Changes::default()
    };
    assert!(commit(metadata, delete).await);
    assert_eq!(metadata.get(b"pgd/a").unwrap(), None);
}

pub(crate) async fn a_range_is_sorted_and_bounded(metadata: &dyn Metadata) {
    for key in ["range/b", "range/a", "range/c\u{e9}", "range/c", "rangf"] {
        assert!(commit(metadata, put(key, "")).await);
    }
    let all = range(metadata, Bound::Included("range/"), "range0");
    assert_eq!(all, ["range/a", "range/b", "range/c", "range/c\u{e9}"]);
    assert_eq!(
        range(metadata, Bound::Excluded("range/a"), "range/c"),
        ["range/b"]
    );
    assert_eq!(
        range(metadata, Bound::Included("range/c"), "range/c"),
        [""; 0]
    );
    assert_eq!(
        range(metadata, Bound::Excluded("range/x"), "range/b"),
        [""; 0]
    );
}

pub(crate) async fn expectations_guard_the_whole_batch(metadata: &dyn Metadata) {
    assert!(
        commit(
            metadata,
            expecting(put("exp/a", "1"), "exp/a", Expectation::Absent)
        )
        .await
    );
    assert!(
        !commit(
            metadata,
            expecting(put("exp/b", "1"), "exp/a", Expectation::Absent)
        )
        .await
    );
    assert!(
        !commit(
            metadata,
            expecting(put("exp/b", "1"), "exp/b", Expectation::Present)
        )
        .await
    );
    let stale = Expectation::Unchanged("0".into());
    assert!(!commit(metadata, expecting(put("exp/b", "1"), "exp/a", stale)).await);
    assert_eq!(metadata.get(b"exp/b").unwrap(), None);
    let current = Expectation::Unchanged("1".into());
    assert!(commit(metadata, expecting(put("exp/b", "1"), "exp/a", current)).await);
    assert_eq!(metadata.get(b"exp/b").unwrap(), Some(b"1".to_vec()));
}

pub(crate) fn one_of_many_racing_writers_wins(metadata: &dyn Metadata) {
    let wins = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn(move || {
                    let changes =
                        expecting(put("race", &n.to_string()), "race", Expectation::Absent);
                    matches!(metadata.apply(changes).unwrap(), Outcome::Applied(_))
                })
            })
            .collect();
        writers
            .into_iter()
            .filter_map(|writer| writer.join().unwrap().then_some(()))
            .count()
    });
    assert_eq!(wins, 1);
}
