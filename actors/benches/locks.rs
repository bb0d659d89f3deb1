//! The table of locks alone: how often a second something can be had and given back that nobody else wants.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tandem_actors::locks::{Ask, Fence, Holder, Mode, Outcome, Resource, Table};

/// As many as the project of a large conversation touches.
const RESOURCES: usize = 1_000;

/// As many connections as the other measurements have.
const HOLDERS: usize = 64;

fn uncontended(criterion: &mut Criterion) {
    let resources: Vec<Resource> = (0..RESOURCES)
        .map(|number| {
            Resource::file(&PathBuf::from(format!("/srv/app/src/module-{}/file-{number}.rs", number % 20)))
        })
        .collect();
    let holders: Vec<Holder> = (0..HOLDERS)
        .map(|number| Holder::DeviceId(format!("device-{number}").parse().expect("a device id")))
        .collect();
    let mut table = Table::new(Fence(0));
    let mut round = 0_u64;
    let mut group = criterion.benchmark_group("table");
    // Two operations: acquire and release.
    group.throughput(Throughput::Elements(2)).measurement_time(Duration::from_secs(5));
    group.bench_function("uncontended acquire and release on 1,000 resources", |bencher| {
        bencher.iter(|| {
            round += 1;
            let place = usize::try_from(round).expect("64 bits");
            let ask = Ask {
                holder: holders[place % HOLDERS].clone(),
                wants: vec![(resources[place % RESOURCES].clone(), Mode::Exclusive)],
                ttl: 300_000,
                wait_until: None,
            };
            match table.ask(ask, round).0 {
                Outcome::Granted(grant) => table.release(grant.ticket, round),
                other => panic!("nobody else wants it: {other:?}"),
            }
        });
    });
    group.finish();
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
