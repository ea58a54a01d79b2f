use sealock_cmk::{Cause, CustodyChange, CustodyEvent};

use crate::world::World;

/// The number of events that are kept.
const KEPT: usize = 1000;

#[tokio::test]
async fn history_keeps_the_latest_events_and_says_that_others_are_gone() {
    let world = World::with_key("kv1/k1").await;
    let history = async || world.custodian.history(world.registry).await.unwrap();
    let established = history().await;
    assert!(established.is_complete);
    assert!(matches!(
        established.events[..],
        [CustodyEvent {
            change: CustodyChange::Wrapped { .. },
            ..
        }]
    ));
    for turn in 0..KEPT {
        let cause = (turn % 2 == 0).then_some(Cause::KeyDisabled);
        world.set(|state| state.refuses_unwrap = cause);
        world.control_commit().await;
        assert_eq!(world.revoked().await, cause);
    }
    let full = history().await;
    assert_eq!((full.events.len(), full.is_complete), (KEPT, false));
    let newest = full.events.last().unwrap();
    assert_eq!(newest.change, CustodyChange::Restored);
}
