//! The cost of a record and of an object, on the disk of the build.
#![expect(clippy::unwrap_used, reason = "a failed measurement has no value")]

use criterion::{Criterion, criterion_group, criterion_main};
use sealock_store::{Authenticator, Batch, Store, StoreFiles, Table, objects};
use tokio::runtime::Runtime;

const RECORDS: Table<String> = Table::content("records");

/// The number of records, as in a registry in use.
const COUNT: usize = 10_000;

fn store(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let authenticator = Authenticator::new(&[7; 32]);
    let store = Store::open(StoreFiles::new(dir.path(), authenticator)).unwrap();
    let value = "x".repeat(160);
    let key = |number: usize| format!("{number:064}");
    for first in (0..COUNT).step_by(100) {
        let batch = (first..first + 100).fold(Batch::new(), |batch, number| {
            batch.put(&RECORDS, &[&key(number)], &value)
        });
        let _unconditional = runtime.block_on(store.commit(batch)).unwrap();
    }
    let mut group = criterion.benchmark_group("store");
    let some = key(COUNT / 2);
    group.bench_function("get", |bencher| {
        bencher.iter(|| runtime.block_on(store.get(&RECORDS, &[&some])).unwrap());
    });
    group.bench_function("commit of one record", |bencher| {
        bencher.iter(|| {
            let batch = Batch::new().put(&RECORDS, &[&some], &value);
            let _unconditional = runtime.block_on(store.commit(batch)).unwrap();
        });
    });
    group.bench_function("object of 64 KiB, published and removed", |bencher| {
        let content = vec![1; 64 * 1024];
        bencher.iter(|| {
            let id = objects::publish(&*store.blobs, &content).unwrap();
            assert!(store.blobs.remove(id).unwrap());
        });
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
