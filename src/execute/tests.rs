use super::*;

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
