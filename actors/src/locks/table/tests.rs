use std::path::Path;

use proptest::prelude::*;

use super::*;

fn device(name: &str) -> Holder {
    Holder::DeviceId(name.parse().unwrap())
}

fn file(path: &str) -> Resource {
    Resource::file(Path::new(path))
}

fn ask(holder: &str, path: &str) -> Ask {
    Ask {
        holder: device(holder),
        wants: vec![(file(path), Mode::Exclusive)],
        ttl: 1_000,
        wait_until: Some(30_000),
    }
}

fn shared(holder: &str, path: &str) -> Ask {
    Ask { wants: vec![(file(path), Mode::Shared)], ..ask(holder, path) }
}

fn table() -> Table {
    Table::new(Fence(100))
}

fn granted(outcome: (Outcome, Vec<News>)) -> Grant {
    match outcome.0 {
        Outcome::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

fn waits(outcome: (Outcome, Vec<News>)) -> Waiting {
    match outcome.0 {
        Outcome::Waiting(waiting) => waiting,
        other => panic!("does not wait: {other:?}"),
    }
}

fn tickets(news: &[News]) -> Vec<Ticket> {
    let granted = news.iter().map(|news| match news {
        News::Granted(grant) => grant.ticket,
        News::Expired(ended) | News::TimedOut(ended) | News::Deadlocked(ended, _) => ended.ticket,
    });
    granted.collect()
}

#[test]
fn the_second_waits_and_gets_it_when_the_first_gives_it_back() {
    let mut table = table();
    let first = granted(table.ask(ask("a", "/x"), 0));
    let second = waits(table.ask(ask("b", "/x"), 5));
    assert_eq!((second.position, &second.holder), (1, &device("a")));
    assert_eq!((second.since, second.until), (Some(0), Some(1_000)));
    let news = table.release(first.ticket, 10);
    let [News::Granted(grant)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((grant.ticket, grant.until), (second.ticket, 1_010));
    assert!(grant.fence > first.fence);
}

#[test]
fn nobody_is_overtaken() {
    let mut table = table();
    let first = granted(table.ask(shared("a", "/x"), 0));
    let writer = waits(table.ask(ask("b", "/x"), 1));
    let reader = waits(table.ask(shared("c", "/x"), 2));
    assert_eq!(
        tickets(&table.release(first.ticket, 3)),
        [writer.ticket],
        "the reader came behind the writer"
    );
    assert_eq!(tickets(&table.release(writer.ticket, 4)), [reader.ticket]);
}

#[test]
fn readers_share_and_go_in_together() {
    let mut table = table();
    let writer = granted(table.ask(ask("a", "/x"), 0));
    let readers =
        [waits(table.ask(shared("b", "/x"), 1)).ticket, waits(table.ask(shared("c", "/x"), 1)).ticket];
    assert_eq!(tickets(&table.release(writer.ticket, 2)), readers);
}

#[test]
fn a_folder_is_in_the_way_of_its_files_and_a_project_of_everything_in_it() {
    let mut table = table();
    let folder = granted(table.ask(ask("a", "/p/src"), 0));
    granted(table.ask(ask("b", "/p/doc/x"), 0));
    let below = waits(table.ask(ask("b", "/p/src/main.rs"), 1));
    let project = Ask { wants: vec![(Resource::project(Path::new("/p")), Mode::Exclusive)], ..ask("c", "/") };
    assert_eq!(waits(table.ask(project, 1)).position, 3, "a folder, a file, and one who waits");
    assert_eq!(tickets(&table.release(folder.ticket, 2)), [below.ticket]);
    granted(table.ask(ask("d", "/q"), 3));
    let all =
        Ask { wants: vec![(Resource::everything(), Mode::Exclusive)], wait_until: None, ..ask("e", "/") };
    assert!(matches!(table.ask(all, 3).0, Outcome::Busy(_)));
}

#[test]
fn several_are_had_together_or_not_at_all() {
    let mut table = table();
    let one = granted(table.ask(ask("a", "/x"), 0));
    let both =
        Ask { wants: vec![(file("/x"), Mode::Exclusive), (file("/y"), Mode::Exclusive)], ..ask("b", "/") };
    let both = waits(table.ask(both, 1));
    let behind = waits(table.ask(ask("c", "/y"), 2));
    assert_eq!(tickets(&table.release(one.ticket, 3)), [both.ticket]);
    assert_eq!(tickets(&table.release(both.ticket, 4)), [behind.ticket]);
}

#[test]
fn who_has_it_already_keeps_its_fence_and_gets_more_time() {
    let mut table = table();
    let first = granted(table.ask(ask("a", "/x"), 0));
    let again = granted(table.ask(ask("a", "/x"), 500));
    assert_eq!((again.ticket, again.fence, again.until), (first.ticket, first.fence, 1_500));
    let weaker = granted(table.ask(shared("a", "/x"), 600));
    assert_eq!(weaker.ticket, first.ticket);
}

#[test]
fn who_holds_a_folder_gets_its_files_past_those_who_wait_for_it() {
    let mut table = table();
    granted(table.ask(ask("a", "/p"), 0));
    waits(table.ask(ask("b", "/p/x"), 1));
    granted(table.ask(ask("a", "/p/x"), 2));
}

#[test]
fn what_is_not_renewed_ends_and_says_so() {
    let mut table = table();
    let first = granted(table.ask(ask("a", "/x"), 0));
    let second = waits(table.ask(ask("b", "/x"), 1));
    assert_eq!(table.renew(first.ticket, 1_000, 900).unwrap().until, 1_900);
    assert!(table.advance(1_899).is_empty());
    assert_eq!(table.next_deadline(), Some(1_900));
    let news = table.advance(1_900);
    let [News::Expired(ended), News::Granted(grant)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((&ended.holder, ended.fence, grant.ticket), (&device("a"), Some(first.fence), second.ticket));
    assert_eq!(ended.resources, [file("/x")]);
    assert!(table.renew(first.ticket, 1_000, 1_901).is_none());
    assert!(!table.is_current(first.ticket, first.fence, 1_901), "its late write is refused");
    assert!(table.is_current(grant.ticket, grant.fence, 1_901));
}

#[test]
fn a_lease_that_is_over_cannot_be_renewed_before_anybody_has_looked() {
    let mut table = table();
    let first = granted(table.ask(ask("a", "/x"), 0));
    assert!(table.renew(first.ticket, 1_000, 1_000).is_none());
    assert!(!table.is_current(first.ticket, first.fence, 1_000));
}

#[test]
fn a_wait_ends_when_it_was_long_enough() {
    let mut table = table();
    granted(table.ask(Ask { ttl: 90_000, ..ask("a", "/x") }, 0));
    let second = waits(table.ask(Ask { wait_until: Some(50), ..ask("b", "/x") }, 1));
    let third = waits(table.ask(shared("c", "/x"), 2));
    let news = table.advance(50);
    let [News::TimedOut(ended)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((ended.ticket, ended.fence), (second.ticket, None));
    assert_eq!(table.counts(), (1, 1));
    assert_eq!(tickets(&table.release_all(&device("a"), 60)), [third.ticket]);
}

#[test]
fn two_that_wait_for_each_other_are_found_at_once() {
    let mut table = table();
    granted(table.ask(ask("a", "/x"), 0));
    granted(table.ask(ask("b", "/y"), 0));
    waits(table.ask(ask("a", "/y"), 1));
    let outcome = table.ask(ask("b", "/x"), 2).0;
    assert_eq!(outcome, Outcome::Deadlock([device("b"), device("a")].into()));
    assert_eq!(table.counts(), (2, 1), "the victim keeps what it has");
    assert_eq!(table.release_all(&device("b"), 3).len(), 1, "and can let the other go on");
}

#[test]
fn a_ring_of_four_is_found_too() {
    let mut table = table();
    let names = ["a", "b", "c", "d"];
    for name in names {
        granted(table.ask(ask(name, &format!("/{name}")), 0));
    }
    for (name, next) in [("a", "/b"), ("b", "/c"), ("c", "/d")] {
        waits(table.ask(ask(name, next), 1));
    }
    let Outcome::Deadlock(cycle) = table.ask(ask("d", "/a"), 2).0 else { panic!("not found") };
    assert_eq!(cycle.len(), 4);
}

#[test]
fn a_ring_among_many_who_wait_for_the_same_is_found() {
    let mut table = table();
    for number in 0..20 {
        granted(table.ask(ask(&format!("h{number}"), &format!("/own-{number}")), 0));
    }
    granted(table.ask(Ask { ttl: 90_000, ..ask("h0", "/x") }, 0));
    for number in 1..20 {
        waits(table.ask(ask(&format!("h{number}"), "/x"), 1));
    }
    waits(table.ask(ask("other", "/own-19"), 2));
    let Outcome::Deadlock(cycle) = table.ask(ask("h0", "/own-7"), 3).0 else { panic!("not found") };
    assert_eq!(cycle[..], [device("h0"), device("h7")]);
    waits(table.ask(ask("last", "/x"), 4));
    assert!(table.advance(5).is_empty(), "nobody else has to give up");
}

#[test]
fn the_sixty_fifth_waiter_is_refused() {
    let mut table = table();
    granted(table.ask(Ask { ttl: 90_000, ..ask("holder", "/x") }, 0));
    for number in 0..MAX_WAITERS {
        waits(table.ask(ask(&format!("w{number}"), "/x"), 1));
    }
    assert_eq!(table.ask(ask("late", "/x"), 2).0, Outcome::Full);
}

#[test]
fn waiters_are_counted_whether_or_not_they_are_in_each_others_way() {
    let mut table = table();
    granted(table.ask(Ask { ttl: 90_000, ..ask("holder", "/x") }, 0));
    for number in 0..MAX_WAITERS {
        waits(table.ask(shared(&format!("w{number}"), "/x"), 1));
    }
    assert_eq!(table.ask(shared("late", "/x"), 2).0, Outcome::Full);
    waits(table.ask(ask("late", "/"), 3));
}

#[test]
fn one_holder_waits_for_so_much_and_no_more() {
    let mut table = table();
    granted(table.ask(Ask { ttl: 90_000, ..ask("holder", "/p") }, 0));
    for number in 0..MAX_WAITS {
        waits(table.ask(ask("greedy", &format!("/p/{number}")), 1));
    }
    assert_eq!(table.ask(ask("greedy", "/p/more"), 2).0, Outcome::Full);
    waits(table.ask(ask("other", "/p/more"), 3));
}

#[test]
fn names_that_nobody_has_are_forgotten_while_others_hold() {
    let mut table = table();
    let folder = granted(table.ask(Ask { ttl: 900_000, ..ask("holder", "/p") }, 0));
    for number in 0..1_000 {
        let refused = Ask { wait_until: None, ..ask("other", &format!("/p/{number}/{number}")) };
        assert!(matches!(table.ask(refused, 1).0, Outcome::Busy(_)));
    }
    assert!(table.tree.len() < 40, "{}", table.tree.len());
    let below = waits(table.ask(ask("third", "/p/8"), 2));
    for number in 0..1_000 {
        table.ask(Ask { wait_until: None, ..ask("other", &format!("/q/{number}")) }, 2);
        table.release_all(&device("other"), 2);
    }
    assert!(table.tree.len() < 40, "{}", table.tree.len());
    let waiting = waits(table.ask(ask("other", "/p/7/7"), 2));
    let behind = waits(table.ask(ask("last", "/p/8/8"), 2));
    assert_eq!(tickets(&table.release(folder.ticket, 3)), [below.ticket, waiting.ticket]);
    assert_eq!(tickets(&table.release(below.ticket, 4)), [behind.ticket], "it is found below where it was");
}

#[test]
fn a_holder_that_is_gone_holds_and_waits_for_nothing() {
    let mut table = table();
    granted(table.ask(ask("a", "/x"), 0));
    granted(table.ask(ask("a", "/y"), 0));
    granted(table.ask(ask("b", "/z"), 0));
    waits(table.ask(ask("a", "/z"), 0));
    let waiting = waits(table.ask(ask("c", "/y"), 0));
    assert_eq!(tickets(&table.release_all(&device("a"), 1)), [waiting.ticket]);
    assert_eq!(table.counts(), (2, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Ask { holder: usize, wants: Vec<(usize, bool)>, ttl: u64, wait: u64 },
    Release { nth: usize },
    ReleaseAll { holder: usize },
    Renew { nth: usize, ttl: u64 },
    Wait { millis: u64 },
}

const HOLDERS: [&str; 5] = ["a", "b", "c", "d", "e"];
const PATHS: [&str; 7] = ["/", "/p", "/p/a", "/p/a/x", "/p/a/y", "/p/b", "/q"];

fn any_step() -> impl Strategy<Value = Step> {
    let wants = prop::collection::vec((0..PATHS.len(), any::<bool>()), 1..3);
    prop_oneof![
        6 => (0..HOLDERS.len(), wants, 1..200_u64, 0..200_u64)
            .prop_map(|(holder, wants, ttl, wait)| Step::Ask { holder, wants, ttl, wait }),
        3 => (0..20_usize).prop_map(|nth| Step::Release { nth }),
        1 => (0..HOLDERS.len()).prop_map(|holder| Step::ReleaseAll { holder }),
        2 => ((0..20_usize), 1..200_u64).prop_map(|(nth, ttl)| Step::Renew { nth, ttl }),
        2 => (0..120_u64).prop_map(|millis| Step::Wait { millis }),
    ]
}

fn resource(path: usize) -> Resource {
    if PATHS[path] == "/" { Resource::everything() } else { file(PATHS[path]) }
}

fn nth(table: &Table, nth: usize) -> Option<Ticket> {
    let all: Vec<Ticket> = table.entries().map(|entry| entry.ticket).collect();
    (!all.is_empty()).then(|| all[nth % all.len()])
}

fn conflict(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    let are = |(resource, mode): (&Resource, Mode), (theirs, their_mode): (&Resource, Mode)| {
        resource.is_related_to(theirs) && (mode == Mode::Exclusive || their_mode == Mode::Exclusive)
    };
    one.holder() != other.holder()
        && one.resources().any(|mine| other.resources().any(|theirs| are(mine, theirs)))
}

/// What must hold after every step, told from the outside.
fn check(table: &Table, now: Millis) -> Result<(), TestCaseError> {
    let entries: Vec<Entry<'_>> = table.entries().collect();
    let held: Vec<&Entry<'_>> = entries.iter().filter(|entry| entry.held().is_some()).collect();
    for (place, one) in held.iter().enumerate() {
        prop_assert!(one.held().is_some_and(|(_, _, until)| until > now), "it holds beyond its time");
        for other in &held[place + 1..] {
            prop_assert!(!conflict(one, other), "{:?} and {:?} hold at once", one.ticket, other.ticket);
        }
    }
    // Who waits, waits for somebody.
    for entry in entries.iter().filter(|entry| entry.held().is_none()) {
        let is_waited_for = |other: &&Entry<'_>| {
            let waits_for_me =
                held.iter().any(|mine| mine.holder() == entry.holder() && conflict(mine, other));
            other.held().is_some() || (other.ticket < entry.ticket && !waits_for_me)
        };
        let others = entries.iter().filter(|other| other.ticket != entry.ticket && conflict(entry, other));
        prop_assert!(others.filter(is_waited_for).count() > 0, "{:?} waits for nobody", entry.ticket);
    }
    // When whoever waits for nothing gives back what it holds, and so on, everybody gets through.
    let mut table = table.clone();
    while table.counts().1 > 0 {
        let waiting: BTreeSet<Holder> = table
            .entries()
            .filter(|entry| entry.held().is_none())
            .map(|entry| entry.holder().clone())
            .collect();
        let free =
            table.entries().map(|entry| entry.holder().clone()).find(|holder| !waiting.contains(holder));
        let Some(free) = free else {
            prop_assert!(false, "these wait for each other: {waiting:?}");
            break;
        };
        table.release_all(&free, now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_happens_locks_exclude_are_in_order_and_never_forgotten(
        steps in prop::collection::vec(any_step(), 1..80)
    ) {
        let mut table = Table::new(Fence(7));
        let mut now = 0;
        let mut last_fence = Fence(7);
        for step in steps {
            let mut news = table.advance(now);
            let outcome = match step {
                Step::Ask { holder, wants, ttl, wait } => {
                    let wants: Vec<(Resource, Mode)> = wants
                        .into_iter()
                        .map(|(path, is_shared)| (resource(path), if is_shared { Mode::Shared } else { Mode::Exclusive }))
                        .collect();
                    let wait_until = (wait > 0).then_some(now + wait);
                    let known: BTreeSet<Ticket> = table.entries().map(|entry| entry.ticket).collect();
                    let (outcome, more) = table.ask(Ask { holder: device(HOLDERS[holder]), wants, ttl, wait_until }, now);
                    if let Outcome::Granted(grant) = &outcome && !known.contains(&grant.ticket) {
                        prop_assert!(grant.fence > last_fence);
                        last_fence = grant.fence;
                    }
                    if let Outcome::Waiting(waiting) = &outcome {
                        prop_assert!(!table.played_out().is_waiting(waiting.ticket), "it is found when it closes");
                    }
                    news.extend(more);
                    Some(outcome)
                }
                Step::Release { nth: place } => {
                    news.extend(nth(&table, place).map(|ticket| table.release(ticket, now)).unwrap_or_default());
                    None
                }
                Step::ReleaseAll { holder } => {
                    news.extend(table.release_all(&device(HOLDERS[holder]), now));
                    None
                }
                Step::Renew { nth: place, ttl } => {
                    if let Some(ticket) = nth(&table, place) {
                        table.renew(ticket, ttl, now);
                    }
                    None
                }
                Step::Wait { millis } => {
                    now += millis;
                    news.extend(table.advance(now));
                    None
                }
            };
            drop(outcome);
            for news in &news {
                if let News::Granted(grant) = news {
                    last_fence = last_fence.max(grant.fence);
                }
            }
            table.advance(now);
            check(&table, now)?;
        }
        for holder in HOLDERS {
            table.release_all(&device(holder), now);
        }
        prop_assert_eq!(table.counts(), (0, 0));
        prop_assert!(table.next_deadline().is_none(), "nothing is left behind");
    }
}
