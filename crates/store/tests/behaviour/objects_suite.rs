//! The behaviour of every implementation of `Objects`.

use sealock_core::ObjectId;
use sealock_store::objects::{Objects, publish, read};

use crate::suite::run_all;

pub(crate) fn all(objects: &dyn Objects) {
    run_all!(
        objects,
        [
            staged_object_is_invisible_until_published,
            dropped_staged_object_is_removed,
            retained_staged_object_stays_until_discarded,
            reads_are_exact,
            removed_object_stays_readable_while_open,
        ]
    );
}

fn staged_object_is_invisible_until_published(objects: &dyn Objects) {
    let mut staged = objects.stage().unwrap();
    let id = staged.id();
    staged.append(b"hello").unwrap();
    assert!(objects.open(id).unwrap().is_none());
    assert!(!objects.list().unwrap().contains(&id));
    staged.publish().unwrap();
    assert_eq!(read(objects, id).unwrap(), Some(b"hello".to_vec()));
    assert!(objects.list().unwrap().contains(&id));
}

fn dropped_staged_object_is_removed(objects: &dyn Objects) {
    let before = objects.list().unwrap().len();
    let mut staged = objects.stage().unwrap();
    staged.append(b"hello").unwrap();
    let id = staged.id();
    drop(staged);
    assert!(objects.open(id).unwrap().is_none());
    assert_eq!(objects.list().unwrap().len(), before);
}

fn retained_staged_object_stays_until_discarded(objects: &dyn Objects) {
    let id = stage_and_retain(objects, b"so far");
    assert_eq!(read_staged(objects, id).unwrap(), b"so far");
    assert!(objects.list_staged().unwrap().contains(&id));
    assert!(
        !objects.list().unwrap().contains(&id),
        "a retained object is not published"
    );
    assert!(objects.open(id).unwrap().is_none());
    assert!(objects.discard(id).unwrap());
    assert!(!objects.discard(id).unwrap());
    assert_eq!(read_staged(objects, id), None);
    assert!(!objects.list_staged().unwrap().contains(&id));

    let mut published = objects.stage().unwrap();
    let id = published.id();
    published.retain().unwrap();
    published.append(b"whole").unwrap();
    assert_eq!(
        read_staged(objects, id).unwrap(),
        b"whole",
        "a retained object is readable while it is written"
    );
    published.publish().unwrap();
    assert_eq!(read(objects, id).unwrap(), Some(b"whole".to_vec()));
    assert!(
        !objects.discard(id).unwrap(),
        "a published object is not staged"
    );
}

/// Stages an object with these bytes, and retains it.
pub(crate) fn stage_and_retain(objects: &dyn Objects, bytes: &[u8]) -> ObjectId {
    let mut staged = objects.stage().unwrap();
    staged.retain().unwrap();
    staged.append(bytes).unwrap();
    staged.id()
}

/// Reads a retained staged object.
pub(crate) fn read_staged(objects: &dyn Objects, id: ObjectId) -> Option<Vec<u8>> {
    let staged = objects.open_staged(id).unwrap()?;
    let mut bytes = vec![0; staged.len().try_into().unwrap()];
    staged.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

fn reads_are_exact(objects: &dyn Objects) {
    let mut staged = objects.stage().unwrap();
    staged.append(b"abcd").unwrap();
    staged.append(b"").unwrap();
    staged.append(b"efgh").unwrap();
    let id = staged.id();
    staged.publish().unwrap();
    let object = objects.open(id).unwrap().unwrap();
    assert_eq!(object.len(), 8);
    let mut middle = [0; 4];
    object.read_at(2, &mut middle).unwrap();
    assert_eq!(&middle, b"cdef");
    assert!(
        object.read_at(5, &mut middle).is_err(),
        "a read past the end fails"
    );
    assert!(object.read_at(u64::MAX, &mut middle).is_err());
}

fn removed_object_stays_readable_while_open(objects: &dyn Objects) {
    let id = publish(objects, b"still here").unwrap();
    let open = objects.open(id).unwrap().unwrap();
    assert!(objects.remove(id).unwrap());
    assert!(!objects.remove(id).unwrap());
    assert!(objects.open(id).unwrap().is_none());
    assert!(!objects.remove(ObjectId::random()).unwrap());
    let mut bytes = [0; 10];
    open.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"still here");
}
