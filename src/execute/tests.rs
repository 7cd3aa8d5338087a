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
            let Reply::Array { count, shown, values, .. } = reply else { panic!("{reply:?}") };
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
    let Reply::Array { count: 2000, shown: 600, mut values, .. } = reply else {
        panic!("{reply:?}")
    };
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
fn what_grows_with_the_request_or_waits_for_others_is_large() {
    let add = |n: usize| Command::Add { values: vec![0; n], show: Show::Array };
    let remove = |n: usize| Command::Remove { values: vec![0; n], all: true };
    let quantiles = |n: usize| Command::Quantiles { q: vec![0.5; n] };
    let pop = |n| Command::Pop { end: End::Max, n };
    let far = Selection { bounds: Bounds { min: 1, max: 9 }, offset: 1_000_000, ..Selection::ALL };
    let small = [
        Command::Ping,
        Command::Ready,
        Command::Stats,
        add(SMALL_BATCH),
        remove(SMALL_BATCH),
        pop(SMALL_BATCH),
        Command::Histogram { buckets: SMALL_BATCH },
        quantiles(SMALL_QUANTILES),
        Command::RemoveRange(Bounds::ALL),
        Command::Array(far),
        Command::Slice { start: 1_000_000, stop: -1, order: Order::Descending },
        Command::Count(far.bounds),
        Command::Rank { value: 0 },
        Command::At { index: 0 },
        Command::Extreme(End::Min),
    ];
    let large = [
        Command::Clear,
        add(SMALL_BATCH + 1),
        remove(SMALL_BATCH + 1),
        pop(SMALL_BATCH + 1),
        Command::Histogram { buckets: SMALL_BATCH + 1 },
        quantiles(SMALL_QUANTILES + 1),
    ];
    let mut executor = Executor::new(SortedMultiset::new().writer());
    for command in small {
        assert_eq!(cost(&command), Cost::Small, "{command:?}");
        assert!(executor.try_execute(command.clone()).is_ok(), "{command:?}");
    }
    let before = executor.counts.metrics().totals();
    for command in large {
        assert_eq!(cost(&command), Cost::Large, "{command:?}");
        assert_eq!(executor.try_execute(command.clone()).err(), Some(command));
    }
    assert_eq!(executor.counts.metrics().totals(), before, "nothing is done");
}

#[test]
fn what_would_wait_for_other_removals_is_given_back_uncounted() {
    let set = SortedMultiset::new();
    let mut executor = Executor::new(set.writer());
    add(&mut executor, vec![1, 2, 3]).expect("there is no cap");
    let removals = [
        Command::Remove { values: vec![1], all: false },
        Command::RemoveRange(Bounds::ALL),
        Command::Pop { end: End::Min, n: 1 },
    ];
    let others_turn = set.remover();
    let before = executor.counts.metrics().totals();
    for command in removals.clone() {
        assert_eq!(executor.try_execute(command.clone()).err(), Some(command));
    }
    assert_eq!(executor.counts.metrics().totals(), before);
    assert!(executor.try_execute(Command::Rank { value: 3 }).is_ok(), "reads wait for nobody");
    drop(others_turn);
    for command in removals {
        assert!(executor.try_execute(command).is_ok());
    }
    let totals = executor.counts.metrics().totals();
    let requests = |totals: &Totals| -> u64 {
        totals.faces.iter().flat_map(|face| face.requests.as_flattened()).sum()
    };
    assert_eq!((requests(&totals) - requests(&before), totals.values_removed), (4, 3));
}

/// The array, kept by the plainest means.
#[derive(Default)]
struct Model(Vec<i64>);

impl Model {
    fn remove(&mut self, mut wanted: impl FnMut(i64) -> bool) -> u64 {
        let before = self.0.len();
        self.0.retain(|&value| !wanted(value));
        (before - self.0.len()) as u64
    }

    /// What a command answers, as text.
    fn execute(&mut self, command: &Command) -> String {
        let len = i64::try_from(self.0.len()).expect("it is small");
        let element = |index: i64| usize::try_from(index).ok().and_then(|i| self.0.get(i).copied());
        match command {
            Command::Add { values, .. } => {
                self.0.extend(values);
                self.0.sort_unstable();
                format!("added {} of {}", values.len(), self.0.len())
            }
            Command::Slice { start, stop, order } => {
                let mut values = self.0.clone();
                if *order == Order::Descending {
                    values.reverse();
                }
                let from_front = |index: i64| if index < 0 { len + index } else { index };
                let (start, stop) = (from_front(*start), from_front(*stop));
                let shown: Vec<i64> = (0..len)
                    .zip(values)
                    .filter(|(index, _)| start <= *index && *index <= stop)
                    .map(|(_, value)| value)
                    .collect();
                format!("{shown:?} of {len}")
            }
            Command::Rank { value } => {
                let rank = self.0.iter().filter(|v| *v < value).count();
                let equal = self.0.iter().filter(|v| *v == value).count();
                format!("{value} at {rank}, {equal} times")
            }
            Command::At { index } => {
                let value = element(if *index < 0 { len.saturating_add(*index) } else { *index });
                format!("[{index}] = {value:?}")
            }
            Command::Quantiles { q } => {
                #[expect(clippy::cast_possible_truncation, reason = "the array is small")]
                let index = |q: f64| ((q * len as f64).ceil() as i64 - 1).max(0);
                let quantiles: Vec<_> = q.iter().map(|&q| (q, element(index(q)))).collect();
                format!("{quantiles:?} of {len}")
            }
            Command::Extreme(End::Min) => format!("{:?}", self.0.first()),
            Command::Extreme(End::Max) => format!("{:?}", self.0.last()),
            Command::Remove { values, all: true } => {
                let removed = self.remove(|value| values.contains(&value));
                format!("removed {removed}")
            }
            Command::Remove { values, all: false } => {
                let mut unwanted = values.clone();
                let removed = self.remove(|value| {
                    let found = unwanted.iter().position(|v| *v == value);
                    found.map(|index| unwanted.swap_remove(index)).is_some()
                });
                format!("removed {removed}")
            }
            Command::RemoveRange(Bounds { min, max }) => {
                let removed = self.remove(|value| *min <= value && value <= *max);
                format!("removed {removed}")
            }
            Command::Pop { end, n } => {
                let n = (*n).min(self.0.len());
                let popped: Vec<i64> = match end {
                    End::Min => self.0.drain(..n).collect(),
                    End::Max => self.0.drain(self.0.len() - n..).rev().collect(),
                };
                format!("{popped:?}")
            }
            command => panic!("{command:?}"),
        }
    }
}

/// A reply as text, and whether what it says of its stream is so.
fn told(reply: Reply) -> String {
    match reply {
        Reply::Added { added, count, .. } => format!("added {added} of {count}"),
        Reply::Array { count, shown, values, .. } => {
            let values = read(values, 7);
            assert_eq!(values.len(), shown);
            format!("{values:?} of {count}")
        }
        Reply::Rank { value, rank, equal } => format!("{value} at {rank}, {equal} times"),
        Reply::At { index, value } => format!("[{index}] = {value:?}"),
        Reply::Quantiles { count, quantiles } => format!("{quantiles:?} of {count}"),
        Reply::Value(value) => format!("{value:?}"),
        Reply::Removed(removed) => format!("removed {removed}"),
        Reply::Popped { popped, values } => {
            let values = read(values, 7);
            assert_eq!(values.len(), popped);
            format!("{values:?}")
        }
        reply => panic!("{reply:?}"),
    }
}

fn command() -> impl Strategy<Value = Command> {
    let values = || prop::collection::vec(value(), 0..8);
    let bounds = || (value(), value()).prop_map(|(min, max)| Bounds { min, max });
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let end = || prop_oneof![Just(End::Min), Just(End::Max)];
    let index = || prop_oneof![5 => -30..30_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let q = prop_oneof![3 => 0.0..=1.0, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(0.5)];
    prop_oneof![
        4 => values().prop_map(|values| Command::Add { values, show: Show::Count }),
        1 => (index(), index(), order)
            .prop_map(|(start, stop, order)| Command::Slice { start, stop, order }),
        1 => value().prop_map(|value| Command::Rank { value }),
        1 => index().prop_map(|index| Command::At { index }),
        1 => prop::collection::vec(q, 1..5).prop_map(|q| Command::Quantiles { q }),
        1 => end().prop_map(Command::Extreme),
        1 => (values(), any::<bool>()).prop_map(|(values, all)| Command::Remove { values, all }),
        1 => bounds().prop_map(Command::RemoveRange),
        1 => (end(), size()).prop_map(|(end, n)| Command::Pop { end, n }),
    ]
}

proptest! {
    #[test]
    fn each_command_answers_as_the_plainest_array_does(
        commands in prop::collection::vec(command(), 1..40),
    ) {
        let mut executor = Executor::new(SortedMultiset::new().writer());
        let mut model = Model::default();
        for command in commands {
            let expected = model.execute(&command);
            prop_assert_eq!(told(executor.execute(command.clone())), expected, "{:?}", command);
        }
        let whole = Command::Array(Selection::ALL);
        let expected = format!("{:?} of {}", model.0, model.0.len());
        prop_assert_eq!(told(executor.execute(whole)), expected);
        let totals = executor.counts.metrics().totals();
        prop_assert_eq!(totals.values_added - totals.values_removed, model.0.len() as u64);
    }

    #[test]
    fn a_histogram_counts_every_element_once(
        values in prop::collection::vec(value(), 0..60),
        buckets in 1..30_usize,
    ) {
        let mut executor = Executor::new(SortedMultiset::new().writer());
        executor.writer.add(&values);
        let reply = executor.execute(Command::Histogram { buckets });
        let Reply::Histogram { count, min, max, buckets: found } = reply else {
            panic!("{reply:?}")
        };
        prop_assert_eq!(count, values.len());
        prop_assert_eq!((min, max), (values.iter().min().copied(), values.iter().max().copied()));
        prop_assert!(found.len() <= buckets);
        prop_assert_eq!(found.first().map(|bucket| bucket.from), min);
        prop_assert_eq!(found.last().map(|bucket| bucket.to), max);
        prop_assert!(found.windows(2).all(|pair| pair[0].to.checked_add(1) == Some(pair[1].from)));
        for Bucket { from, to, count } in &found {
            let within = values.iter().filter(|v| *from <= **v && **v <= *to).count();
            prop_assert_eq!(within, *count);
        }
        if min == max {
            prop_assert_eq!(found.len(), usize::from(min.is_some()));
        }
    }
}

#[test]
fn a_version_stands_for_one_content_of_one_array() {
    let version = |executor: &mut Executor, selection| {
        let reply = executor.execute(Command::Array(selection));
        let Reply::Array { version, .. } = reply else { panic!("{reply:?}") };
        version
    };
    let none = Selection { limit: 0, ..Selection::ALL };
    let (one, two) = (SortedMultiset::new(), SortedMultiset::new());
    let mut executor = Executor::new(one.writer());
    let mut seen = vec![version(&mut executor, Selection::ALL)];
    let changes = [
        Command::Add { values: vec![1, 2, 3], show: Show::Count },
        Command::Remove { values: vec![1], all: false },
        Command::Pop { end: End::Max, n: 1 },
        Command::Add { values: vec![4], show: Show::Count },
        Command::RemoveRange(Bounds { min: 2, max: 2 }),
    ];
    for change in changes {
        executor.execute(change.clone());
        let now = version(&mut executor, Selection::ALL);
        assert_eq!(version(&mut executor, none), now, "nothing has changed");
        assert!(!seen.contains(&now), "{change:?}");
        seen.push(now);
    }
    assert_ne!(version(&mut Executor::new(two.writer()), none), seen[0], "another server");
}

#[test]
fn room_is_there_again_after_each_removal() {
    let mut executor =
        Executor::new(SortedMultiset::new().writer()).with_capacity(Capacity::new(4));
    let removals = [
        (Command::Remove { values: vec![1, 9, 1], all: false }, 2),
        (Command::Remove { values: vec![1, 9], all: true }, 3),
        (Command::RemoveRange(Bounds { min: 2, max: 9 }), 1),
        (Command::RemoveRange(Bounds { min: 9, max: 2 }), 0),
        (Command::Pop { end: End::Min, n: 2 }, 2),
        (Command::Pop { end: End::Max, n: 9 }, 4),
    ];
    for (removal, room) in removals {
        assert_eq!(add(&mut executor, vec![1, 1, 1, 2]), Ok(4));
        executor.execute(removal.clone());
        let refused = add(&mut executor, vec![0; room + 1]);
        assert_eq!(refused, Err(ErrorCode::Full), "{removal:?}");
        assert_eq!(add(&mut executor, vec![0; room]), Ok(4), "{removal:?}");
        clear(&mut executor);
    }
}

#[test]
fn requests_are_counted_by_face_command_and_outcome() {
    let mut executor =
        Executor::new(SortedMultiset::new().writer()).with_capacity(Capacity::new(2));
    executor.over(Face::Json).execute(Command::Add { values: vec![1, 2], show: Show::Count });
    executor.over(Face::Http).execute(Command::Add { values: vec![3], show: Show::Count });
    executor.execute(Command::At { index: 2 });
    executor.execute(Command::At { index: 1 });
    executor.execute(Command::At { index: -1 });
    executor.execute(Command::Ready);
    executor.count(Operation::None, Outcome::Refused(ErrorCode::BadRequest));
    let Reply::Stats(stats) = executor.execute(Command::Metrics) else { panic!("they are stats") };
    let kinds: Vec<_> = stats
        .requests_by_kind
        .iter()
        .map(|kind| (kind.face, kind.operation.name(), kind.outcome.name(), kind.count))
        .collect();
    let expected = [
        ("json", "add", "ok", 1),
        ("http", "none", "bad_request", 1),
        ("http", "ready", "ok", 1),
        ("http", "add", "full", 1),
        ("http", "at", "ok", 2),
        ("http", "at", "out_of_range", 1),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(stats.requests, 6, "commands, health checks aside, and this one");
}
