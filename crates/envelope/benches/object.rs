//! The speed of sealing and opening objects, on one core.
#![expect(clippy::unwrap_used, reason = "a failed measurement has no value")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sealock_core::{Digest, RegistryId};
use sealock_envelope::{
    BINDING_LEN, Dek, Header, Layout, RegistryKeys, Sealer, SegmentSize, ServiceKey,
};

const SIZE: usize = 1 << 20;

fn object(criterion: &mut Criterion) {
    let (registry, service, dek) = (RegistryId::random(), ServiceKey::random(), Dek::random());
    let plaintext = vec![1; SIZE];
    let digest = Digest::Sha256([0; 32]);
    let mut group = criterion.benchmark_group("object of 1 MiB");
    for (name, dek) in [("service layer", None), ("both layers", Some(&dek))] {
        let keys = RegistryKeys {
            registry,
            service: &service,
            dek,
        };
        let seal = || {
            let header = Header::new(keys.layers(), SegmentSize::default());
            let keys = keys.object(&header).unwrap();
            let mut sealer = Sealer::new(header);
            let mut object = Vec::with_capacity(2 * SIZE);
            object.extend_from_slice(&header.to_bytes());
            sealer.update(&keys, &plaintext, &mut object).unwrap();
            sealer.finish(&keys, &digest, &mut object).unwrap();
            (header, object)
        };
        group.throughput(Throughput::Bytes(SIZE as u64));
        group.bench_function(format!("seal, {name}"), |bencher| bencher.iter(seal));

        let (header, object) = seal();
        let binding = object.last_chunk::<BINDING_LEN>().unwrap();
        let layout = Layout::new(&header, SIZE as u64);
        for (what, range) in [
            ("open", 0..SIZE as u64),
            ("open a range of 1 KiB", 500_000..501_024),
        ] {
            group.throughput(Throughput::Bytes(range.end - range.start));
            group.bench_function(format!("{what}, {name}"), |bencher| {
                bencher.iter(|| {
                    let keys = keys.object(&header).unwrap();
                    keys.verify_binding(binding, SIZE as u64, &digest).unwrap();
                    for batch in layout.batches(&range, SIZE) {
                        let at = usize::try_from(batch.offset).unwrap();
                        let mut buffer = object[at..at + batch.stored_len].to_vec();
                        layout.open(&keys, &batch, &range, &mut buffer).unwrap();
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, object);
criterion_main!(benches);
