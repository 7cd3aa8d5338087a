//! Every face says the same: one table of what can be asked and what it means, a column for each face.
//!
//! A face is a client that spells an [`Ask`] and reads the reply back into its [`Meaning`]. Another one is
//! one more implementation of [`Face`] and one more line in [`FACES`].

use proptest::prelude::*;
use serde_json::{Value, json};
use sortd::Server;

use crate::http_client::Client;
use crate::resp_client::Resp;
use crate::server::{Lines, config, start_with};

/// The cap under which faces are compared, so that they meet it.
const MAX_VALUES: u64 = 40;

/// What can be asked, as no face spells it.
#[derive(Clone, Debug)]
enum Ask {
    /// Answered with the new length.
    Add(Vec<i64>),
    /// Answered with what the name of `reply` says.
    AddShowing(Vec<i64>, &'static str),
    Array(Part),
    /// How many elements match, whatever is left out.
    Matching(Part),
    Count(Option<i64>, Option<i64>),
    Rank(i64),
    At(i64),
    Quantiles(Vec<f64>),
    Min,
    Max,
    Histogram(usize),
    Remove(Vec<i64>),
    RemoveAll(Vec<i64>),
    RemoveRange(i64, i64),
    PopMin(usize),
    PopMax(usize),
    Clear,
    /// Counts that do not depend on who asks.
    Stats,
}

/// A part of the array.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    min: Option<i64>,
    max: Option<i64>,
    is_descending: bool,
    offset: Option<usize>,
    limit: Option<usize>,
}

/// What a reply means, as no face spells it.
#[derive(Clone, Debug, PartialEq)]
enum Meaning {
    /// A number of elements.
    Number(u64),
    /// One element, or none where there is no such.
    Element(Option<i64>),
    Elements(Vec<i64>),
    /// One for each that was asked for; none in an empty array.
    Quantiles(Vec<Option<i64>>),
    Added {
        added: u64,
        count: u64,
        values: Option<Vec<i64>>,
    },
    Rank {
        rank: u64,
        equal: u64,
    },
    /// From, to, count.
    Histogram(Vec<(i64, i64, u64)>),
    Stats {
        count: u64,
        epoch: u64,
        added: u64,
        removed: u64,
    },
    /// Refused: it means nothing.
    Malformed,
    /// Refused: there is no room.
    Full,
}

/// A client of one face.
trait Face {
    /// Asks and understands; none where the face has no words for it.
    fn ask(&mut self, ask: &Ask) -> Option<Meaning>;
}

/// How to come by a client of a face.
type Connect = fn(&Server) -> Box<dyn Face>;

/// Every face. For each ask at least one has words.
const FACES: [(&str, Connect); 3] = [
    ("JSON lines", |server| Box::new(Lines::connect(server))),
    ("RESP", |server| Box::new(Resp::connect(server))),
    ("REST", |server| Box::new(Client::connect(server.http_addr()))),
];

impl Face for Lines {
    fn ask(&mut self, ask: &Ask) -> Option<Meaning> {
        let request = match ask {
            Ask::Add(values) => json!({"op": "add", "values": values}),
            Ask::AddShowing(values, reply) => {
                json!({"op": "add", "values": values, "reply": reply})
            }
            Ask::Array(part) => part_as_json("array", *part),
            Ask::Matching(part) => part_as_json("array", *part),
            Ask::Count(min, max) => {
                part_as_json("count", Part { min: *min, max: *max, ..Part::default() })
            }
            Ask::Rank(value) => json!({"op": "rank", "value": value}),
            Ask::At(index) => json!({"op": "at", "index": index}),
            Ask::Quantiles(q) => json!({"op": "quantiles", "q": q}),
            Ask::Min => json!({"op": "min"}),
            Ask::Max => json!({"op": "max"}),
            Ask::Histogram(_) => return None,
            Ask::Remove(values) => json!({"op": "remove", "values": values}),
            Ask::RemoveAll(values) => json!({"op": "remove", "values": values, "all": true}),
            Ask::RemoveRange(min, max) => json!({"op": "remove_range", "min": min, "max": max}),
            Ask::PopMin(n) => json!({"op": "pop_min", "n": n}),
            Ask::PopMax(n) => json!({"op": "pop_max", "n": n}),
            Ask::Clear => json!({"op": "clear"}),
            Ask::Stats => json!({"op": "stats"}),
        };
        let reply = Lines::ask(self, &request.to_string());
        let reply: Value = serde_json::from_str(&reply).expect("a reply is JSON");
        Some(match (ask, reply["error"]["code"].as_str()) {
            (Ask::At(_), Some("out_of_range")) => Meaning::Element(None),
            (_, Some("bad_request")) => Meaning::Malformed,
            (_, Some("full")) => Meaning::Full,
            (_, Some(code)) => panic!("{ask:?}: {code}"),
            (Ask::Array(_), None) => Meaning::Elements(integers(&reply["values"])),
            (_, None) => understand(ask, &reply),
        })
    }
}

fn part_as_json(op: &str, part: Part) -> Value {
    let mut request = json!({ "op": op });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            request[name] = value;
        }
    };
    set("min", part.min.map(Value::from));
    set("max", part.max.map(Value::from));
    set("order", part.is_descending.then(|| "desc".into()));
    set("offset", part.offset.map(Value::from));
    set("limit", part.limit.map(Value::from));
    request
}

impl Face for Client {
    fn ask(&mut self, ask: &Ask) -> Option<Meaning> {
        let (method, target, body) = match ask {
            Ask::Add(values) => ("POST", "/array?reply=count".to_owned(), json!(values)),
            Ask::AddShowing(values, reply) => {
                ("POST", format!("/array?reply={reply}"), json!(values))
            }
            Ask::Array(part) | Ask::Matching(part) => {
                ("GET", format!("/array?{}", part_as_query(*part)), Value::Null)
            }
            Ask::Count(min, max) => {
                let part = Part { min: *min, max: *max, ..Part::default() };
                ("GET", format!("/array/count?{}", part_as_query(part)), Value::Null)
            }
            Ask::Rank(value) => ("GET", format!("/array/rank/{value}"), Value::Null),
            Ask::At(index) => ("GET", format!("/array/at/{index}"), Value::Null),
            Ask::Quantiles(q) => {
                let q: Vec<String> = q.iter().map(f64::to_string).collect();
                ("GET", format!("/array/quantiles?q={}", q.join(",")), Value::Null)
            }
            Ask::Min => ("GET", "/array/min".to_owned(), Value::Null),
            Ask::Max => ("GET", "/array/max".to_owned(), Value::Null),
            Ask::Histogram(n) => ("GET", format!("/array/histogram?buckets={n}"), Value::Null),
            // One at a time is all that there are words for.
            Ask::Remove(values) | Ask::RemoveAll(values) => {
                let [value] = values[..] else { return None };
                let all = matches!(ask, Ask::RemoveAll(_));
                ("DELETE", format!("/array?value={value}&all={all}"), Value::Null)
            }
            Ask::RemoveRange(min, max) => {
                ("DELETE", format!("/array?min={min}&max={max}"), Value::Null)
            }
            Ask::PopMin(n) => ("POST", format!("/array/pop?end=min&n={n}"), Value::Null),
            Ask::PopMax(n) => ("POST", format!("/array/pop?end=max&n={n}"), Value::Null),
            Ask::Clear => ("DELETE", "/array".to_owned(), Value::Null),
            Ask::Stats => ("GET", "/stats".to_owned(), Value::Null),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = Client::ask(self, method, &target, &body);
        Some(match response.status {
            404 if matches!(ask, Ask::At(_)) => Meaning::Element(None),
            400 => Meaning::Malformed,
            507 => Meaning::Full,
            200 | 201 => match ask {
                Ask::Matching(_) => {
                    let count = response.header("sortd-count").map(str::parse);
                    Meaning::Number(count.expect("it is there").expect("it is a number"))
                }
                _ => {
                    let reply = serde_json::from_str(&response.body).expect("a reply is JSON");
                    match ask {
                        Ask::Array(_) => Meaning::Elements(integers(&reply)),
                        _ => understand(ask, &reply),
                    }
                }
            },
            status => panic!("{ask:?}: {status} {}", response.body),
        })
    }
}

fn part_as_query(part: Part) -> String {
    let parameters = [
        part.min.map(|min| format!("min={min}")),
        part.max.map(|max| format!("max={max}")),
        part.is_descending.then(|| "order=desc".to_owned()),
        part.offset.map(|offset| format!("offset={offset}")),
        part.limit.map(|limit| format!("limit={limit}")),
    ];
    parameters.into_iter().flatten().collect::<Vec<_>>().join("&")
}

impl Face for Resp {
    fn ask(&mut self, ask: &Ask) -> Option<Meaning> {
        let infinity = |bound: Option<i64>, sign: &str| {
            bound.map_or_else(|| format!("{sign}inf"), |bound| bound.to_string())
        };
        let command = match ask {
            Ask::Add(values) => words("ADD", values)?,
            Ask::Array(Part { min, max, is_descending, offset, limit }) => {
                let (min, max) = (infinity(*min, "-"), infinity(*max, "+"));
                let rev = if *is_descending { " REV" } else { "" };
                let limit = limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string());
                format!("BETWEEN {min} {max}{rev} LIMIT {} {limit}", offset.unwrap_or(0))
            }
            Ask::Count(None, None) => "COUNT".to_owned(),
            Ask::Count(min, max) => {
                format!("COUNT {} {}", infinity(*min, "-"), infinity(*max, "+"))
            }
            Ask::Rank(value) => format!("RANK {value}"),
            Ask::At(index) => format!("AT {index}"),
            Ask::Quantiles(q) => {
                q.iter().fold("QUANTILE".to_owned(), |command, q| format!("{command} {q}"))
            }
            Ask::Min => "MIN".to_owned(),
            Ask::Max => "MAX".to_owned(),
            Ask::Remove(values) => words("REMOVE", values)?,
            Ask::RemoveAll(values) => words("REMOVEALL", values)?,
            Ask::RemoveRange(min, max) => format!("REMOVERANGE {min} {max}"),
            Ask::PopMin(n) => format!("POPMIN {n}"),
            Ask::PopMax(n) => format!("POPMAX {n}"),
            Ask::Clear => "CLEAR".to_owned(),
            Ask::Stats => "INFO array".to_owned(),
            Ask::AddShowing(..) | Ask::Matching(_) | Ask::Histogram(_) => return None,
        };
        let reply = Resp::ask(self, &command);
        Some(match (reply.as_bytes()[0], ask) {
            (b'-', _) if reply.starts_with("-OOM ") => Meaning::Full,
            (b'-', _) => Meaning::Malformed,
            (b':', Ask::Rank(value)) => {
                let equal = Resp::ask(self, &format!("COUNT {value} {value}"));
                Meaning::Rank { rank: number(&reply), equal: number(&equal) }
            }
            (b':', Ask::At(_) | Ask::Min | Ask::Max) => Meaning::Element(elements(&reply)[0]),
            (b':', _) => Meaning::Number(number(&reply)),
            (b'*', Ask::Quantiles(_)) => Meaning::Quantiles(elements(&reply)),
            (b'*', _) => {
                let elements = elements(&reply).into_iter();
                Meaning::Elements(elements.map(|element| element.expect("an element")).collect())
            }
            (b'$', Ask::Stats) => {
                let field = |name: &str| {
                    let mut fields = reply.lines().filter_map(|line| line.strip_prefix(name));
                    let value = fields.next().and_then(|value| value.strip_prefix(':'));
                    value.expect("the field is there").parse().expect("it is a number")
                };
                Meaning::Stats {
                    count: field("count"),
                    epoch: field("epoch"),
                    added: field("values_added"),
                    removed: field("values_removed"),
                }
            }
            _ => Meaning::Element(elements(&reply)[0]),
        })
    }
}

/// A command with these values; there are no words for none.
fn words(name: &str, values: &[i64]) -> Option<String> {
    let command = values.iter().fold(name.to_owned(), |command, v| format!("{command} {v}"));
    (!values.is_empty()).then_some(command)
}

fn number(reply: &str) -> u64 {
    reply[1..].trim_end().parse().expect("it is a number")
}

/// The integers and nulls in a reply.
fn elements(reply: &str) -> Vec<Option<i64>> {
    let lines = reply.lines().filter(|line| !line.starts_with('*'));
    lines.map(|line| line.strip_prefix(':').map(|n| n.parse().expect("an integer"))).collect()
}

/// What an object means, which both JSON faces share.
fn understand(ask: &Ask, reply: &Value) -> Meaning {
    let number = |name: &str| reply[name].as_u64().unwrap_or_else(|| panic!("{ask:?}: {reply}"));
    match ask {
        Ask::Add(values) => {
            assert_eq!(number("added"), values.len() as u64, "{reply}");
            Meaning::Number(number("count"))
        }
        Ask::AddShowing(..) => Meaning::Added {
            added: number("added"),
            count: number("count"),
            values: reply.get("values").map(integers),
        },
        Ask::Matching(_) | Ask::Count(..) => Meaning::Number(number("count")),
        Ask::Rank(value) => {
            assert_eq!(reply["value"], *value);
            Meaning::Rank { rank: number("rank"), equal: number("equal") }
        }
        Ask::At(index) => {
            assert_eq!(reply["index"], *index);
            Meaning::Element(reply["value"].as_i64())
        }
        Ask::Quantiles(q) => {
            let quantiles = reply["quantiles"].as_array().expect("a list");
            assert!(
                quantiles
                    .iter()
                    .map(|quantile| quantile["q"].as_f64())
                    .eq(q.iter().map(|&q| Some(q)))
            );
            Meaning::Quantiles(
                quantiles.iter().map(|quantile| quantile["value"].as_i64()).collect(),
            )
        }
        Ask::Min | Ask::Max => Meaning::Element(reply["value"].as_i64()),
        Ask::Histogram(_) => {
            let bucket = |bucket: &Value| {
                let integer = |name: &str| bucket[name].as_i64().expect("an integer");
                (integer("from"), integer("to"), bucket["count"].as_u64().expect("a number"))
            };
            let buckets = reply["buckets"].as_array().expect("a list");
            Meaning::Histogram(buckets.iter().map(bucket).collect())
        }
        Ask::Remove(_) | Ask::RemoveAll(_) | Ask::RemoveRange(..) | Ask::Clear => {
            Meaning::Number(number("removed"))
        }
        Ask::Array(_) | Ask::PopMin(_) | Ask::PopMax(_) => {
            Meaning::Elements(integers(&reply["values"]))
        }
        Ask::Stats => Meaning::Stats {
            count: number("count"),
            epoch: number("epoch"),
            added: number("values_added"),
            removed: number("values_removed"),
        },
    }
}

fn integers(list: &Value) -> Vec<i64> {
    let list = list.as_array().expect("a list of integers");
    list.iter().map(|value| value.as_i64().expect("an integer")).collect()
}

/// A server, and a client of each of its faces.
struct Table {
    faces: Vec<(&'static str, Box<dyn Face>)>,
    _server: Server,
}

impl Table {
    fn new() -> Table {
        let server = start_with(sortd::Config { max_values: MAX_VALUES, ..config() });
        let faces = FACES.map(|(name, connect)| (name, connect(&server)));
        Table { faces: faces.into(), _server: server }
    }

    /// Asks over one face, or, where that has no words for it, over the next that has; tells which.
    fn ask(&mut self, first: usize, ask: &Ask) -> (&'static str, Meaning) {
        let n = self.faces.len();
        let mut faces = (0..n).map(|i| (first + i) % n);
        let found = faces.find_map(|face| {
            let (name, client) = &mut self.faces[face];
            Some((*name, client.ask(ask)?))
        });
        found.unwrap_or_else(|| panic!("no face has words for {ask:?}"))
    }
}

/// What is asked one after the other, and what each must mean.
fn conversation() -> Vec<(Ask, Meaning)> {
    use Meaning::{Element, Elements, Full, Malformed, Number};
    let (min, max) = (i64::MIN, i64::MAX);
    let all = Part::default();
    let part = |low, high| Part { min: Some(low), max: Some(high), ..all };
    vec![
        (Ask::Min, Element(None)),
        (Ask::Max, Element(None)),
        (Ask::At(0), Element(None)),
        (Ask::At(-1), Element(None)),
        (Ask::Array(all), Elements(vec![])),
        (Ask::Quantiles(vec![0.0, 1.0]), Meaning::Quantiles(vec![None, None])),
        (Ask::Histogram(3), Meaning::Histogram(vec![])),
        (Ask::PopMin(1), Elements(vec![])),
        (Ask::Add(vec![5, 3, 9, 3]), Number(4)),
        (Ask::Add(vec![]), Number(4)),
        (
            Ask::AddShowing(vec![max, min], "batch"),
            Meaning::Added { added: 2, count: 6, values: Some(vec![min, max]) },
        ),
        (
            Ask::AddShowing(vec![7], "array"),
            Meaning::Added { added: 1, count: 7, values: Some(vec![min, 3, 3, 5, 7, 9, max]) },
        ),
        (Ask::AddShowing(vec![7], "count"), Meaning::Added { added: 1, count: 8, values: None }),
        (Ask::AddShowing(vec![7], "none"), Malformed),
        (Ask::Array(all), Elements(vec![min, 3, 3, 5, 7, 7, 9, max])),
        (Ask::Array(Part { is_descending: true, limit: Some(2), ..all }), Elements(vec![max, 9])),
        (Ask::Array(part(3, 7)), Elements(vec![3, 3, 5, 7, 7])),
        (Ask::Array(Part { offset: Some(1), limit: Some(2), ..part(3, 7) }), Elements(vec![3, 5])),
        (Ask::Array(Part { offset: Some(9), ..all }), Elements(vec![])),
        (Ask::Array(part(7, 3)), Elements(vec![])),
        (Ask::Matching(Part { offset: Some(1), limit: Some(0), ..part(3, 7) }), Number(5)),
        (Ask::Matching(part(7, 3)), Number(0)),
        (Ask::Count(None, None), Number(8)),
        (Ask::Count(Some(3), Some(7)), Number(5)),
        (Ask::Count(Some(max), None), Number(1)),
        (Ask::Count(None, Some(min)), Number(1)),
        (Ask::Count(Some(7), Some(3)), Number(0)),
        (Ask::Rank(7), Meaning::Rank { rank: 4, equal: 2 }),
        (Ask::Rank(min), Meaning::Rank { rank: 0, equal: 1 }),
        (Ask::Rank(max), Meaning::Rank { rank: 7, equal: 1 }),
        (Ask::At(0), Element(Some(min))),
        (Ask::At(-1), Element(Some(max))),
        (Ask::At(-8), Element(Some(min))),
        (Ask::At(8), Element(None)),
        (Ask::At(-9), Element(None)),
        (Ask::At(max), Element(None)),
        (Ask::At(min), Element(None)),
        (
            Ask::Quantiles(vec![0.5, 0.0, 1.0, 0.126]),
            Meaning::Quantiles(vec![Some(5), Some(min), Some(max), Some(3)]),
        ),
        (Ask::Quantiles(vec![0.5, 1.5]), Malformed),
        (Ask::Quantiles(vec![-0.5]), Malformed),
        (Ask::Quantiles(vec![]), Malformed),
        (Ask::Min, Element(Some(min))),
        (Ask::Max, Element(Some(max))),
        (Ask::Histogram(2), Meaning::Histogram(vec![(min, -1, 1), (0, max, 7)])),
        (Ask::Histogram(0), Malformed),
        (Ask::Add(vec![1; 33]), Full),
        (Ask::AddShowing(vec![1; 33], "array"), Full),
        (Ask::Remove(vec![7]), Number(1)),
        (Ask::Remove(vec![8]), Number(0)),
        (Ask::Remove(vec![7, 7, 9]), Number(2)),
        (Ask::RemoveAll(vec![3]), Number(2)),
        (Ask::RemoveRange(9, 3), Number(0)),
        (Ask::RemoveRange(min, 4), Number(1)),
        (Ask::Array(all), Elements(vec![5, max])),
        (Ask::Add(vec![1; 38]), Number(40)),
        (Ask::Add(vec![1]), Full),
        (Ask::RemoveAll(vec![1, 5]), Number(39)),
        (Ask::Add((0..20).collect()), Number(21)),
        (Ask::PopMin(1), Elements(vec![0])),
        (Ask::PopMax(3), Elements(vec![max, 19, 18])),
        (Ask::PopMin(0), Elements(vec![])),
        (Ask::PopMax(99), Elements((1..18).rev().collect())),
        (Ask::Add(vec![2, 1]), Number(2)),
        (Ask::Clear, Number(2)),
        (Ask::Clear, Number(0)),
        (Ask::Stats, Meaning::Stats { count: 0, epoch: 2, added: 68, removed: 68 }),
    ]
}

#[test]
fn every_face_means_the_same() {
    for first in 0..FACES.len() {
        let mut table = Table::new();
        for (row, (ask, meaning)) in conversation().into_iter().enumerate() {
            // Each in its turn: they see what the others have done.
            let (face, found) = table.ask(first + row, &ask);
            assert_eq!(found, meaning, "row {row} over {face}: {ask:?}");
        }
    }
}

#[test]
fn every_ask_is_in_the_conversation_over_every_face_that_has_words_for_it() {
    // What a face has no words for, so that what is missing does not go unseen.
    let unspoken = |face: &str, ask: &Ask| match (face, ask) {
        ("JSON lines", Ask::Histogram(_)) => true,
        ("RESP", Ask::AddShowing(..) | Ask::Matching(_) | Ask::Histogram(_)) => true,
        ("RESP", Ask::Add(values) | Ask::Remove(values) | Ask::RemoveAll(values)) => {
            values.is_empty()
        }
        ("REST", Ask::Remove(values) | Ask::RemoveAll(values)) => values.len() != 1,
        _ => false,
    };
    let mut table = Table::new();
    for (ask, _) in conversation() {
        for (name, client) in &mut table.faces {
            assert_eq!(client.ask(&ask).is_none(), unspoken(name, &ask), "{name}: {ask:?}");
        }
    }
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -5..5_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

fn part() -> impl Strategy<Value = Part> {
    let value = || prop::option::of(value());
    let size = || prop::option::of(0..12_usize);
    (value(), value(), any::<bool>(), size(), size()).prop_map(
        |(min, max, is_descending, offset, limit)| Part { min, max, is_descending, offset, limit },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    let values = |n| prop::collection::vec(value(), 0..n);
    let bound = || prop::option::of(value());
    let q = prop_oneof![0.0..=1.0, Just(0.0), Just(1.0), Just(2.0)];
    let show = prop_oneof![Just("count"), Just("batch"), Just("array")];
    prop_oneof![
        4 => values(12).prop_map(Ask::Add),
        2 => (values(12), show).prop_map(|(values, show)| Ask::AddShowing(values, show)),
        1 => part().prop_map(Ask::Array),
        1 => part().prop_map(Ask::Matching),
        1 => (bound(), bound()).prop_map(|(min, max)| Ask::Count(min, max)),
        1 => value().prop_map(Ask::Rank),
        1 => (-20..20_i64).prop_map(Ask::At),
        1 => prop::collection::vec(q, 0..4).prop_map(Ask::Quantiles),
        1 => prop_oneof![Just(Ask::Min), Just(Ask::Max), Just(Ask::Stats), Just(Ask::Clear)],
        1 => (0..5_usize).prop_map(Ask::Histogram),
        1 => values(3).prop_map(Ask::Remove),
        1 => values(3).prop_map(Ask::RemoveAll),
        1 => (value(), value()).prop_map(|(min, max)| Ask::RemoveRange(min, max)),
        1 => (0..9_usize).prop_map(Ask::PopMin),
        1 => (0..9_usize).prop_map(Ask::PopMax),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn faces_that_are_asked_the_same_never_differ(asks in prop::collection::vec(ask(), 1..60)) {
        // Each face has a server of its own.
        let mut tables: Vec<Table> = FACES.iter().map(|_| Table::new()).collect();
        for ask in asks {
            let mut answers = tables.iter_mut().enumerate().map(|(face, t)| t.ask(face, &ask));
            let (first, expected) = answers.next().expect("there is a face");
            for (face, meaning) in answers {
                prop_assert_eq!(&meaning, &expected, "{:?} over {} and {}", ask, face, first);
            }
        }
    }
}
