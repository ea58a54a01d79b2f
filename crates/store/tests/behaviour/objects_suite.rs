use sealock_core::ObjectId;
use sealock_store::objects::{Objects, publish, read};

pub(crate) fn all(objects: &dyn Objects) {
    a_staged_object_is_invisible_until_published(objects);
    a_dropped_stage_leaves_nothing(objects);
    what_is_kept_stays_until_it_is_discarded(objects);
    reads_are_exact(objects);
    a_removed_object_stays_readable_for_who_has_it_open(objects);
}

pub(crate) fn a_staged_object_is_invisible_until_published(objects: &dyn Objects) {
    let mut staged = objects.stage().unwrap();
    let id = staged.id();
    staged.append(b"hello").unwrap();
    assert!(objects.open(id).unwrap().is_none());
    assert!(!objects.list().unwrap().contains(&id));
    staged.publish().unwrap();
    assert_eq!(read(objects, id).unwrap(), Some(b"hello".to_vec()));
    assert!(objects.list().unwrap().contains(&id));
}

pub(crate) fn a_dropped_stage_leaves_nothing(objects: &dyn Objects) {
    let before = objects.list().unwrap().len();
    let mut staged = objects.stage().unwrap();
    staged.append(b"hello").unwrap();
    let id = staged.id();
    drop(staged);
    assert!(objects.open(id).unwrap().is_none());
    assert_eq!(objects.list().unwrap().len(), before);
}

pub(crate) fn what_is_kept_stays_until_it_is_discarded(objects: &dyn Objects) {
    let id = kept(objects, b"so far");
    assert_eq!(staged(objects, id).unwrap(), b"so far");
    assert!(objects.list_staged().unwrap().contains(&id));
    assert!(
        !objects.list().unwrap().contains(&id),
        "it is not published"
    );
    assert!(objects.open(id).unwrap().is_none());
    assert!(objects.discard(id).unwrap());
    assert!(!objects.discard(id).unwrap());
    assert_eq!(staged(objects, id), None);
    assert!(!objects.list_staged().unwrap().contains(&id));

    let mut published = objects.stage().unwrap();
    let id = published.id();
    published.keep().unwrap();
    published.append(b"whole").unwrap();
    assert_eq!(staged(objects, id).unwrap(), b"whole", "others read it");
    published.publish().unwrap();
    assert_eq!(read(objects, id).unwrap(), Some(b"whole".to_vec()));
    assert!(!objects.discard(id).unwrap(), "it is not staged any more");
}

/// An object that was staged with these bytes, and kept.
pub(crate) fn kept(objects: &dyn Objects, bytes: &[u8]) -> ObjectId {
    let mut staged = objects.stage().unwrap();
    staged.keep().unwrap();
    staged.append(bytes).unwrap();
    staged.id()
}

/// What was kept of an object.
pub(crate) fn staged(objects: &dyn Objects, id: ObjectId) -> Option<Vec<u8>> {
    let staged = objects.open_staged(id).unwrap()?;
    let mut bytes = vec![0; staged.len().try_into().unwrap()];
    staged.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

pub(crate) fn reads_are_exact(objects: &dyn Objects) {
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
        "reads beyond the end fail"
    );
    assert!(object.read_at(u64::MAX, &mut middle).is_err());
}

pub(crate) fn a_removed_object_stays_readable_for_who_has_it_open(objects: &dyn Objects) {
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
