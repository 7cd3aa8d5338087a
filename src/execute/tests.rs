use super::*;

use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use crate::store::SortedMultiset;

fn read(mut values: ValueStream, at_a_time: usize) -> Vec<i64> {
    let mut all = Vec::new();
    let mut buffer = vec![0; at_a_time];
    loop {
        match values.fill(&mut buffer) {
            0 => return all,
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}

/// What a selection of these values shows, by the plainest means.
fn model(values: &[i64], selection: Selection) -> (usize, Vec<i64>) {
    let Selection { bounds: Bounds { min, max }, order, offset, limit } = selection;
    let mut matching: Vec<i64> =
        values.iter().copied().filter(|v| min <= *v && *v <= max).collect();
    matching.sort_unstable();
    if order == Order::Descending {
        matching.reverse();
    }
    (matching.len(), matching.into_iter().skip(offset).take(limit).collect())
}

fn value() -> impl Strategy<Value = i64> {
    // Few values, so that there are duplicates, and the edges.
    prop_oneof![
        6 => -5..5_i64,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX - 1), Just(i64::MAX)],
    ]
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..40_usize, 1 => Just(usize::MAX)]
}

fn selection() -> impl Strategy<Value = Selection> {
    let bounds = prop_oneof![
        3 => (value(), value()).prop_map(|(min, max)| Bounds { min, max }),
        1 => Just(Bounds::ALL),
    ];
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    (bounds, order, size(), size()).prop_map(|(bounds, order, offset, limit)| Selection {
        bounds,
        order,
        offset,
        limit,
    })
}

proptest! {
    #[test]
    fn a_selection_shows_what_it_should(
        values in prop::collection::vec(value(), 0..60),
        selections in prop::collection::vec(selection(), 1..10),
        at_a_time in 1..8_usize,
    ) {
        let mut executor = Executor::new(SortedMultiset::new().writer());
        executor.writer.add(&values);
        for selection in selections {
            let (matching, expected) = model(&values, selection);
            let reply = executor.execute(Command::Array(selection));
            let Reply::Array { count, shown, values } = reply else { panic!("{reply:?}") };
            prop_assert_eq!((count, shown), (matching, expected.len()));
            prop_assert_eq!(read(values, at_a_time), expected);
            let reply = executor.execute(Command::Count(selection.bounds));
            prop_assert!(matches!(reply, Reply::Count(count) if count == matching));
        }
    }
}

#[test]
fn a_window_ends_where_it_should_and_stays_ended() {
    let mut executor = Executor::new(SortedMultiset::new().writer());
    executor.writer.add(&(0..2000).collect::<Vec<i64>>());
    let selection =
        Selection { order: Order::Descending, offset: 700, limit: 600, ..Selection::ALL };
    let reply = executor.execute(Command::Array(selection));
    let Reply::Array { count: 2000, shown: 600, mut values } = reply else { panic!("{reply:?}") };
    let mut out = [0; 700];
    assert_eq!(values.fill(&mut out), 600);
    assert!(out[..600].iter().copied().eq((700..1300).rev()));
    assert_eq!(values.fill(&mut out), 0);
}

fn add(executor: &mut Executor, values: Vec<i64>) -> Result<usize, ErrorCode> {
    match executor.execute(Command::Add { values, show: Show::Count }) {
        Reply::Added { count, .. } => Ok(count),
        Reply::Error(error) => Err(error.code),
        reply => panic!("{reply:?}"),
    }
}

fn clear(executor: &mut Executor) -> u64 {
    match executor.execute(Command::Clear) {
        Reply::Removed(removed) => removed,
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn an_add_past_the_cap_is_refused_whole() {
    let mut executor =
        Executor::new(SortedMultiset::new().writer()).with_capacity(Capacity::new(5));
    assert_eq!(add(&mut executor, vec![1; 6]), Err(ErrorCode::Full));
    assert_eq!(add(&mut executor, vec![1; 3]), Ok(3));
    assert_eq!(add(&mut executor, vec![2; 3]), Err(ErrorCode::Full));
    assert_eq!(add(&mut executor, vec![3; 2]), Ok(5));
    assert_eq!(add(&mut executor, vec![4]), Err(ErrorCode::Full));
    assert_eq!(add(&mut executor, vec![]), Ok(5), "nothing always fits");
    assert_eq!(executor.writer.set().snapshot().iter().collect::<Vec<i64>>(), [1, 1, 1, 3, 3]);
    assert_eq!(clear(&mut executor), 5);
    assert_eq!(add(&mut executor, vec![1; 5]), Ok(5));
}

#[test]
fn room_that_was_reserved_in_vain_is_there_again() {
    let capacity = Capacity::new(5);
    let died = std::panic::catch_unwind(|| {
        let _reservation = capacity.reserve(5).expect("there is room");
        assert!(capacity.reserve(1).is_none());
        panic!("on purpose");
    });
    assert!(died.is_err());
    assert!(capacity.reserve(5).is_some());
    assert!(Capacity::new(u64::MAX).reserve(u64::MAX).is_some());
    assert!(capacity.reserve(u64::MAX).is_none(), "sums do not wrap");
}

/// Says that one more is done, even if it has failed, so that those who wait for it end.
struct Over<'c>(&'c AtomicU64);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

#[test]
fn the_cap_holds_while_many_add_and_clear() {
    const CAP: usize = 100;
    let set = SortedMultiset::new();
    let capacity = Capacity::new(CAP as u64);
    let executor = || Executor::new(set.writer()).with_capacity(capacity.clone());
    let (refused, fullest) = (AtomicU64::new(0), AtomicUsize::new(0));
    // Four who add, two who read, one who clears.
    let (adding, start) = (AtomicU64::new(4), Barrier::new(7));
    thread::scope(|scope| {
        for seed in 0..4 {
            let mut executor = executor();
            let (refused, fullest, adding, start) = (&refused, &fullest, &adding, &start);
            scope.spawn(move || {
                let _over = Over(adding);
                start.wait();
                for round in 0..4000 {
                    let length = (round * 7 + seed) % 23;
                    match add(&mut executor, vec![7; length]) {
                        Ok(count) => {
                            assert!(count <= CAP, "{count}");
                            fullest.fetch_max(count, Ordering::Relaxed);
                        }
                        Err(code) => {
                            assert_eq!(code, ErrorCode::Full);
                            refused.fetch_add(1, Ordering::Relaxed);
                            // Somebody has to make room, and two at once must not make it twice.
                            if round % 2 == 0 {
                                clear(&mut executor);
                            }
                        }
                    }
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                while adding.load(Ordering::Acquire) > 0 {
                    let snapshot = set.snapshot();
                    assert!(snapshot.len() <= CAP, "{}", snapshot.len());
                    assert!(snapshot.iter().count() <= CAP);
                }
            });
        }
        let mut clearing = executor();
        let (adding, start) = (&adding, &start);
        scope.spawn(move || {
            start.wait();
            while adding.load(Ordering::Acquire) > 0 {
                clear(&mut clearing);
                thread::sleep(Duration::from_micros(200));
            }
        });
    });
    assert!(refused.into_inner() > 0, "the cap was met");
    assert!(fullest.into_inner() > CAP / 2, "the array was nearly full at times");
    let mut executor = executor();
    clear(&mut executor);
    assert_eq!(add(&mut executor, vec![1; CAP]), Ok(CAP), "all room is there again");
    assert_eq!(add(&mut executor, vec![1]), Err(ErrorCode::Full), "and no more");
}

#[test]
fn what_grows_with_the_request_or_the_array_is_large() {
    let add = |n: usize| Command::Add { values: vec![0; n], show: Show::Array };
    let some = Bounds { min: 1, ..Bounds::ALL };
    let array = |bounds, offset| Command::Array(Selection { bounds, offset, ..Selection::ALL });
    let small = [
        Command::Ping,
        Command::Ready,
        Command::Stats,
        add(SMALL_BATCH),
        array(Bounds::ALL, SMALL_BATCH),
        Command::Count(Bounds::ALL),
    ];
    let large = [
        add(SMALL_BATCH + 1),
        Command::Clear,
        array(some, 0),
        array(Bounds::ALL, SMALL_BATCH + 1),
        Command::Count(some),
    ];
    for command in small {
        assert_eq!(cost(&command), Cost::Small, "{command:?}");
    }
    for command in large {
        assert_eq!(cost(&command), Cost::Large, "{command:?}");
    }
}
