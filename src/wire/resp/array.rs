//! Requests that concern the array, as commands.

use crate::command::{Bounds, Command, End, MAX_QUANTILES, Order, Selection, Show};

use super::refusal::Refusal;
use super::reply::Shape;
use super::request::Arguments;

/// A command, and how its reply is shown.
pub(super) type Parsed = Result<(Shape, Command), Refusal>;

pub(super) fn add(arguments: Arguments<'_>) -> Parsed {
    plain(Command::Add { values: integers(arguments)?, show: Show::Count })
}

pub(super) fn range(mut arguments: Arguments<'_>) -> Parsed {
    let (start, stop) = (next_integer(&mut arguments)?, next_integer(&mut arguments)?);
    let order = match (arguments.next(), arguments.next()) {
        (None, _) => Order::Ascending,
        (Some(option), None) if option.eq_ignore_ascii_case(b"REV") => Order::Descending,
        _ => return Err(Refusal::SYNTAX),
    };
    plain(Command::Slice { start, stop, order })
}

pub(super) fn between(mut arguments: Arguments<'_>) -> Parsed {
    let bounds = next_bounds(&mut arguments)?;
    let (mut order, mut window) = (None, None);
    while let Some(option) = arguments.next() {
        if option.eq_ignore_ascii_case(b"REV") && order.is_none() {
            order = Some(Order::Descending);
        } else if option.eq_ignore_ascii_case(b"LIMIT") && window.is_none() {
            if arguments.len() < 2 {
                return Err(Refusal::SYNTAX);
            }
            window = Some((next_integer(&mut arguments)?, next_integer(&mut arguments)?));
        } else {
            return Err(Refusal::SYNTAX);
        }
    }
    let (offset, limit) = window.map_or((0, usize::MAX), |(offset, count)| {
        // As Redis has it: a negative count stands for all that is left, a negative offset for nothing.
        match (usize::try_from(offset), usize::try_from(count)) {
            (Ok(offset), Ok(count)) => (offset, count),
            (Ok(offset), Err(_)) => (offset, usize::MAX),
            (Err(_), _) => (0, 0),
        }
    });
    let order = order.unwrap_or(Order::Ascending);
    plain(Command::Array(Selection { bounds, order, offset, limit }))
}

pub(super) fn count(mut arguments: Arguments<'_>) -> Parsed {
    plain(Command::Count(match arguments.len() {
        0 => Bounds::ALL,
        2 => next_bounds(&mut arguments)?,
        _ => return Err(Refusal::wrong_arity("count")),
    }))
}

pub(super) fn rank(mut arguments: Arguments<'_>) -> Parsed {
    plain(Command::Rank { value: next_integer(&mut arguments)? })
}

pub(super) fn at(mut arguments: Arguments<'_>) -> Parsed {
    plain(Command::At { index: next_integer(&mut arguments)? })
}

pub(super) fn quantile(arguments: Arguments<'_>) -> Parsed {
    if arguments.len() > MAX_QUANTILES {
        let text = format!("ERR too many quantiles, at most {MAX_QUANTILES} are taken at once");
        return Err(Refusal::from_text(text));
    }
    plain(Command::Quantiles { q: arguments.map(fraction).collect::<Result<_, _>>()? })
}

pub(super) fn min(_: Arguments<'_>) -> Parsed {
    plain(Command::Extreme(End::Min))
}

pub(super) fn max(_: Arguments<'_>) -> Parsed {
    plain(Command::Extreme(End::Max))
}

pub(super) fn remove(arguments: Arguments<'_>) -> Parsed {
    plain(Command::Remove { values: integers(arguments)?, all: false })
}

pub(super) fn remove_all(arguments: Arguments<'_>) -> Parsed {
    plain(Command::Remove { values: integers(arguments)?, all: true })
}

pub(super) fn remove_range(mut arguments: Arguments<'_>) -> Parsed {
    plain(Command::RemoveRange(next_bounds(&mut arguments)?))
}

pub(super) fn pop_min(arguments: Arguments<'_>) -> Parsed {
    pop(End::Min, arguments)
}

pub(super) fn pop_max(arguments: Arguments<'_>) -> Parsed {
    pop(End::Max, arguments)
}

pub(super) fn clear(_: Arguments<'_>) -> Parsed {
    plain(Command::Clear)
}

fn plain(command: Command) -> Parsed {
    Ok((Shape::Plain, command))
}

fn pop(end: End, mut arguments: Arguments<'_>) -> Parsed {
    if arguments.len() == 0 {
        return Ok((Shape::First, Command::Pop { end, n: 1 }));
    }
    let n = next_integer(&mut arguments).ok().and_then(|n| usize::try_from(n).ok());
    plain(Command::Pop { end, n: n.ok_or(Refusal::NOT_POSITIVE)? })
}

fn integers(arguments: Arguments<'_>) -> Result<Vec<i64>, Refusal> {
    arguments.map(integer).collect()
}

/// The next argument, which is there, as an integer.
fn next_integer(arguments: &mut Arguments<'_>) -> Result<i64, Refusal> {
    arguments.next().ok_or(Refusal::SYNTAX).and_then(integer)
}

/// An integer in decimal digits, perhaps behind a minus sign. Zeros may lead.
pub(super) fn integer(argument: &[u8]) -> Result<i64, Refusal> {
    let is_signed = argument.starts_with(b"+");
    let text = std::str::from_utf8(argument).ok().filter(|_| !is_signed);
    text.and_then(|text| text.parse().ok()).ok_or(Refusal::NOT_AN_INTEGER)
}

/// A number from 0 to 1.
fn fraction(argument: &[u8]) -> Result<f64, Refusal> {
    let text = std::str::from_utf8(argument).ok();
    let number: Option<f64> = text.and_then(|text| text.parse().ok());
    match number {
        Some(q) if (0.0..=1.0).contains(&q) => Ok(q),
        Some(q) if !q.is_nan() => {
            Err(Refusal::new("ERR value is out of range, must be between 0 and 1"))
        }
        _ => Err(Refusal::new("ERR value is not a valid float")),
    }
}

/// The next two arguments, which are there: the smallest and the largest value.
fn next_bounds(arguments: &mut Arguments<'_>) -> Result<Bounds, Refusal> {
    let mut next = || arguments.next().ok_or(Refusal::SYNTAX).and_then(bound);
    Ok(match (next()?, next()?) {
        // Nothing is above infinity, or below the other one, however large the integers get.
        (Bound::Above, _) | (_, Bound::Below) => Bounds { min: i64::MAX, max: i64::MIN },
        (min, max) => Bounds {
            min: if let Bound::At(min) = min { min } else { i64::MIN },
            max: if let Bound::At(max) = max { max } else { i64::MAX },
        },
    })
}

enum Bound {
    /// Below all integers.
    Below,
    At(i64),
    /// Above all integers.
    Above,
}

fn bound(argument: &[u8]) -> Result<Bound, Refusal> {
    let is = |name: &str| argument.eq_ignore_ascii_case(name.as_bytes());
    if is("-inf") {
        Ok(Bound::Below)
    } else if is("+inf") || is("inf") {
        Ok(Bound::Above)
    } else {
        integer(argument).map(Bound::At)
    }
}
