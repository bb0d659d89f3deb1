//! The table of locks alone: how often a second something can be had and given back that nobody else wants, and what a
//! hand-over among many who wait costs.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tandem_actors::locks::{Ask, Fence, Holder, Mode, Outcome, Resource, Table, Ticket};

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

/// A ring of hand-overs: whoever gives back asks again and is the last one who waits.
fn contended(criterion: &mut Criterion) {
    let resource = Resource::file(&PathBuf::from("/srv/app/src/main.rs"));
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(2)).measurement_time(Duration::from_secs(5));
    for waiting in [1, 8, 63] {
        // Each has something else too, which nobody wants: so a deadlock is possible, and is looked for.
        for has_more in [false, true] {
            let mut table = Table::new(Fence(0));
            let mut queue = VecDeque::new();
            for number in 0..=waiting {
                let holder = Holder::DeviceId(format!("device-{number}").parse().expect("a device id"));
                if has_more {
                    let other = Resource::file(&PathBuf::from(format!("/srv/app/own-{number}")));
                    table.ask(ask(&holder, &other), 0);
                }
                queue.push_back((holder.clone(), ticket(&table.ask(ask(&holder, &resource), 0).0)));
            }
            let more = if has_more { " and have something else" } else { "" };
            group.bench_function(format!("hand-over among {waiting} who wait{more}"), |bencher| {
                bencher.iter(|| {
                    let (holder, held) = queue.pop_front().expect("somebody holds");
                    let news = table.release(held, 0);
                    assert_eq!(news.len(), 1, "the next one has it");
                    let waits = ticket(&table.ask(ask(&holder, &resource), 0).0);
                    queue.push_back((holder, waits));
                });
            });
        }
    }
    group.finish();
}

fn ask(holder: &Holder, resource: &Resource) -> Ask {
    let wants = vec![(resource.clone(), Mode::Exclusive)];
    Ask { holder: holder.clone(), wants, ttl: 300_000, wait_until: Some(30_000) }
}

fn ticket(outcome: &Outcome) -> Ticket {
    match outcome {
        Outcome::Granted(grant) => grant.ticket,
        Outcome::Waiting(waiting) => waiting.ticket,
        other => panic!("neither had nor waits: {other:?}"),
    }
}

criterion_group!(benches, uncontended, contended);
criterion_main!(benches);
