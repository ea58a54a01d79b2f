//! The behaviour of every implementation of `Notes`.

use sealock_store::notes::Notes;
use uuid::Uuid;

use crate::suite::run_all;

pub(crate) fn all(notes: &dyn Notes) {
    run_all!(notes, [note_has_its_last_content, removed_note_is_missing]);
}

fn note_has_its_last_content(notes: &dyn Notes) {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(notes.get(one).unwrap(), None);
    for text in ["a long first note", "short", ""] {
        notes.put(one, text.as_bytes()).unwrap();
        notes.put(other, b"another").unwrap();
        assert_eq!(notes.get(one).unwrap().unwrap(), text.as_bytes());
        let start = notes.get_start(one, 6).unwrap().unwrap();
        assert_eq!(start, &text.as_bytes()[..text.len().min(6)]);
    }
    assert_eq!(notes.get(other).unwrap().unwrap(), b"another");
    let listed = notes.list().unwrap();
    assert_eq!(listed.iter().filter(|id| **id == one).count(), 1);
    assert!(listed.contains(&other));
}

fn removed_note_is_missing(notes: &dyn Notes) {
    let id = Uuid::new_v4();
    notes.put(id, b"a note").unwrap();
    assert!(notes.remove(id).unwrap());
    assert!(!notes.remove(id).unwrap());
    assert_eq!(notes.get(id).unwrap(), None);
    assert_eq!(notes.get_start(id, 6).unwrap(), None);
    assert!(!notes.list().unwrap().contains(&id));
}
