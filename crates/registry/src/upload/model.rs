//! Compares sessions with a plain `Vec<u8>`, over chunks of any size and any number of restarts.

use std::collections::HashSet;

use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};
use sealock_core::{Algorithm, Digest, ObjectId, RegistryId};
use sealock_envelope::{
    BINDING_LEN, Dek, HEADER_LEN, Header, Layers, Layout, RECORD_OVERHEAD, RegistryKeys,
    SegmentSize, ServiceKey,
};

use super::{
    session::{Reseal, SavedSession, Session},
    session_file as file,
};
use crate::{UploadId, content::hasher::Hasher};

/// The smallest segments, which keep the test fast.
const SEGMENT: usize = SegmentSize::MIN.bytes();

/// A step of a session.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of so many bytes arrives, in frames that end at these indices.
    Append(usize, Vec<Index>),
    /// A chunk arrives that starts at another byte.
    OutOfOrder(u64),
    /// The session is saved in its file.
    Save,
    /// The process ends, and the next one resumes the session from its file.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let exact = (0..4_usize).prop_map(|segments| segments * SEGMENT);
    let length = prop_oneof![0..3 * SEGMENT, exact, 0..40_usize];
    let frames = prop::collection::vec(any::<Index>(), 0..4);
    prop_oneof![
        6 => (length, frames).prop_map(|(length, frames)| Step::Append(length, frames)),
        1 => any::<u64>().prop_map(Step::OutOfOrder),
        3 => Just(Step::Save),
        2 => Just(Step::Restart),
    ]
}

/// A session with the disk around it.
struct World {
    registry: RegistryId,
    service: ServiceKey,
    dek: Option<Dek>,
    algorithm: Algorithm,
    session: Session,
    /// The staged object.
    staged: Vec<u8>,
    file: Vec<u8>,
    /// The sealed segments, by salt and offset. None is sealed twice.
    sealed: HashSet<([u8; 32], usize)>,
    arrived: Vec<u8>,
    saved: usize,
}

/// Appends `segments`, as a staged object does.
fn write(
    staged: &mut Vec<u8>,
    sealed: &mut HashSet<([u8; 32], usize)>,
    header: &Header,
    segments: &[u8],
) {
    let at = staged.len();
    staged.extend_from_slice(segments);
    let stored = SEGMENT + 16 * usize::from(header.layers.count());
    for segment in (at..staged.len()).step_by(stored) {
        assert!(
            sealed.insert((header.salt, segment)),
            "a key seals a segment twice"
        );
    }
}

impl World {
    fn new(layers: Layers, algorithm: Algorithm) -> Self {
        let header = Header::new(layers, SegmentSize::MIN);
        let mut world = Self {
            registry: RegistryId::random(),
            service: ServiceKey::random(),
            dek: (layers == Layers::ServiceAndCmk).then(Dek::random),
            algorithm,
            session: Session::new(header, algorithm),
            staged: header.to_bytes().to_vec(),
            file: Vec::new(),
            sealed: HashSet::new(),
            arrived: Vec::new(),
            saved: 0,
        };
        world.save();
        world
    }

    fn keys(&self) -> RegistryKeys<'_> {
        RegistryKeys {
            registry: self.registry,
            service: &self.service,
            dek: self.dek.as_ref(),
        }
    }

    fn take_session(&mut self) -> Session {
        let empty = Session::new(*self.session.header(), self.algorithm);
        std::mem::replace(&mut self.session, empty)
    }

    fn append(&mut self, length: usize, frames: &[Index]) {
        let start = self.arrived.len();
        self.arrived
            .extend((start..start + length).map(|at| u8::try_from(at % 251).unwrap()));
        let mut cuts: Vec<_> = frames.iter().map(|cut| cut.index(length + 1)).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let batch: Vec<_> = cuts
            .windows(2)
            .map(|cut| self.arrived[start + cut[0]..start + cut[1]].to_vec())
            .collect();
        let (mut hasher, mut sealer) = self.take_session().split();
        let header = *sealer.header();
        let keys = self.keys().object(&header).unwrap();
        let mut segments = Vec::new();
        for frame in &batch {
            hasher.update(frame);
            sealer.update(&keys, frame, &mut segments).unwrap();
        }
        write(&mut self.staged, &mut self.sealed, &header, &segments);
        self.session = Session::join(hasher, sealer);
    }

    fn save(&mut self) {
        let head = file::Head::new(
            UploadId::random(),
            self.registry,
            "app".parse().unwrap(),
            ObjectId::random(),
            &self.session,
            Timestamp::UNIX_EPOCH,
        );
        self.file = file::seal(&head, &self.keys(), &self.session).unwrap();
        assert_eq!(file::Head::open(&self.file, &self.service), Some(head));
        self.saved = self.arrived.len();
    }

    fn restart(&mut self) {
        let (head, saved) = file::open(&self.file, &self.keys()).unwrap();
        self.arrived.truncate(self.saved);
        assert_eq!(head.received, self.saved as u64);
        assert!(saved.stored_len() <= self.staged.len() as u64);
        let segments = saved.segments(2 * SEGMENT);
        let mut reseal = Reseal::new(saved);
        let (old_header, header) = (*reseal.old_header(), *reseal.new_header());
        let old = self.keys().object(&old_header).unwrap();
        let new = self.keys().object(&header).unwrap();
        let mut staged = header.to_bytes().to_vec();
        for batch in segments {
            let at = usize::try_from(batch.offset).unwrap();
            let stored = &mut self.staged[at..at + batch.stored_len];
            let segments = reseal.step(&old, &new, &batch, stored).unwrap();
            write(&mut staged, &mut self.sealed, &header, &segments);
        }
        let (segments, session) = reseal.finish(&new).unwrap();
        write(&mut staged, &mut self.sealed, &header, &segments);
        (self.staged, self.session) = (staged, session);
        self.save();
    }

    fn finish(mut self) {
        let digest = Hasher::digest(self.algorithm, &self.arrived);
        let session = self.take_session();
        let header = *session.header();
        let keys = self.keys().object(&header).unwrap();
        let (staged, sealed) = (&mut self.staged, &mut self.sealed);
        let finished = session
            .finish(&keys, &digest, |end| {
                let (segment, binding) = end.split_at(end.len() - BINDING_LEN);
                write(staged, sealed, &header, segment);
                staged.extend_from_slice(binding);
                Ok(())
            })
            .unwrap();
        assert_eq!(finished.plaintext_len, self.arrived.len() as u64);
        let parsed = Header::parse(self.staged.first_chunk().unwrap());
        assert_eq!(parsed, Ok(finished.header));
        let binding = self.staged.last_chunk::<BINDING_LEN>().unwrap();
        keys.verify_binding(binding, finished.plaintext_len, &digest)
            .unwrap();
        let layout = Layout::new(&finished.header, finished.plaintext_len);
        layout.check_len(self.staged.len() as u64).unwrap();
        let all = 0..finished.plaintext_len;
        let mut content = Vec::new();
        for batch in layout.batches(&all, 3 * SEGMENT) {
            let at = usize::try_from(batch.offset).unwrap();
            let stored = &mut self.staged[at..at + batch.stored_len];
            for part in layout.open(&keys, &batch, &all, stored).unwrap() {
                content.extend_from_slice(&stored[part]);
            }
        }
        assert!(content == self.arrived, "the content has changed");
    }
}

fn layers() -> impl Strategy<Value = Layers> {
    prop_oneof![Just(Layers::Service), Just(Layers::ServiceAndCmk)]
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)]
}

proptest! {
    #[test]
    fn session_has_all_arrived_bytes(
        layers in layers(),
        algorithm in algorithm(),
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let mut world = World::new(layers, algorithm);
        for step in steps {
            match step {
                Step::Append(length, frames) => world.append(length, &frames),
                Step::OutOfOrder(start) => assert_eq!(
                    world.session.continues_at(start),
                    start == world.arrived.len() as u64
                ),
                Step::Save => world.save(),
                Step::Restart => world.restart(),
            }
            assert_eq!(world.session.received(), world.arrived.len() as u64);
            assert!(world.session.continues_at(world.session.received()));
        }
        world.finish();
    }

    #[test]
    fn session_with_another_digest_is_refused(algorithm in algorithm(), length in 0..2 * SEGMENT) {
        let mut world = World::new(Layers::Service, algorithm);
        world.append(length, &[]);
        let keys = world.keys().object(world.session.header()).unwrap();
        let digest = Hasher::digest(algorithm, b"not what arrived");
        let refused = world.session.finish(&keys, &digest, |_| panic!("nothing is written"));
        assert!(matches!(refused, Err(crate::Error::DigestMismatch(_))));
    }

    #[test]
    fn changed_or_cut_file_does_not_open(
        layers in layers(),
        length in 0..2 * SEGMENT,
        at in any::<Index>(),
    ) {
        let mut world = World::new(layers, Algorithm::default());
        world.append(length, &[]);
        world.save();
        let mut file = world.file.clone();
        let at = at.index(file.len());
        prop_assert!(file::open(&file[..at], &world.keys()).is_none());
        file[at] ^= 1;
        prop_assert!(file::open(&file, &world.keys()).is_none());
    }
}

/// The longest content without a sealed segment, and the shortest with one.
#[test]
fn one_segment_is_held_back() {
    for (length, bytes_in_segments) in [(0, 0), (1, 0), (SEGMENT, 0), (SEGMENT + 1, SEGMENT)] {
        let mut world = World::new(Layers::Service, Algorithm::default());
        world.append(length, &[]);
        world.save();
        let (_, saved) = file::open(&world.file, &world.keys()).unwrap();
        assert_eq!(saved.bytes_in_segments(), bytes_in_segments as u64);
        let stored = if bytes_in_segments == 0 {
            0
        } else {
            HEADER_LEN + SEGMENT + 16
        };
        assert_eq!(saved.stored_len(), stored as u64, "{length}");
    }
}

/// The layout in docs/blob-format.md.
#[test]
fn file_is_head_and_sealed_state() {
    let mut world = World::new(Layers::ServiceAndCmk, Algorithm::Sha256);
    world.append(2 * SEGMENT + 5, &[]);
    world.save();
    let head_len = world.file.iter().position(|byte| *byte == b'\n').unwrap();
    let (head, sealed) = (&world.file[..head_len], &world.file[head_len + 1..]);
    let (seal, sealed) = sealed.split_at(RECORD_OVERHEAD);
    let of_service = RegistryKeys {
        dek: None,
        ..world.keys()
    };
    assert!(of_service.open_record(head, seal).unwrap().is_empty());
    let shown: serde_json::Value = serde_json::from_slice(head).unwrap();
    assert_eq!(shown["version"], 3);
    assert_eq!(shown["registry"], world.registry.to_string());
    assert_eq!(shown["repository"], "app");
    assert_eq!(shown["algorithm"], "sha256");
    assert_eq!(shown["received"], 2 * SEGMENT + 5);
    assert_eq!(shown["touched"], "1970-01-01T00:00:00Z");
    let state = world.keys().open_record(head, sealed).unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&world.arrived);
    let header = world.session.header().to_bytes();
    let tail = &world.arrived[2 * SEGMENT..];
    assert!(*state == [&header[..], &hasher.state(), tail].concat());
}

#[test]
fn head_of_an_unknown_form_is_rejected() {
    let world = World::new(Layers::Service, Algorithm::Sha256);
    let end = world.file.iter().position(|byte| *byte == b'\n').unwrap();
    let head = String::from_utf8(world.file[..end].to_vec()).unwrap();
    let of_service = RegistryKeys {
        dek: None,
        ..world.keys()
    };
    let sealed = |head: &str| {
        let seal = of_service.seal_record(head.as_bytes(), &[]);
        [head.as_bytes(), b"\n", &seal].concat()
    };
    assert!(file::Head::open(&sealed(&head), &world.service).is_some());
    for (known, unknown) in [
        ("\"version\":3", "\"version\":2"),
        ("\"app\"", "\"APP\""),
        ("}", ",\"more\":1}"),
    ] {
        let changed = head.replace(known, unknown);
        assert_ne!(changed, head);
        let opened = file::Head::open(&sealed(&changed), &world.service);
        assert_eq!(opened, None, "{unknown}");
    }
}

#[test]
fn changed_or_cut_head_does_not_open_under_the_service_key() {
    let world = World::new(Layers::ServiceAndCmk, Algorithm::Sha256);
    let end = world.file.iter().position(|byte| *byte == b'\n').unwrap();
    let head_len = end + 1 + RECORD_OVERHEAD;
    let opens = |file: &[u8]| file::Head::open(file, &world.service).is_some();
    assert!(opens(&world.file[..head_len]));
    for at in 0..head_len {
        let mut file = world.file[..head_len].to_vec();
        assert!(!opens(&file[..at]), "cut at {at}");
        file[at] ^= 1;
        assert!(!opens(&file), "changed at {at}");
    }
}

#[test]
fn state_of_another_length_is_rejected() {
    let session = Session::new(
        Header::new(Layers::Service, SegmentSize::MIN),
        Algorithm::Sha256,
    );
    let state = session.state();
    assert!(SavedSession::parse(Algorithm::Sha256, 0, &state).is_some());
    assert!(SavedSession::parse(Algorithm::Sha256, 1, &state).is_none());
    assert!(SavedSession::parse(Algorithm::Sha256, u64::MAX, &state).is_none());
    assert!(SavedSession::parse(Algorithm::Sha512, 0, &state).is_none());
    assert!(SavedSession::parse(Algorithm::Sha256, 0, &state[1..]).is_none());
    assert!(SavedSession::parse(Algorithm::Sha256, 0, &[]).is_none());
    let digest = Hasher::digest(Algorithm::Sha256, b"");
    assert!(matches!(digest, Digest::Sha256(_)));
}
