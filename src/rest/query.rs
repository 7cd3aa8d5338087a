//! The parameters of a query, taken one by one.

use rouille::{Request, Response};

use crate::command::{Bounds, Command, End, MAX_BUCKETS, MAX_QUANTILES, Order, Selection, Show};
use crate::json::Numbers;

use super::problem;

/// More parameters than any route takes: bounds the search for repeated ones.
const MAX_PARAMETERS: usize = 16;

/// The buckets of a histogram where the client does not say.
const DEFAULT_BUCKETS: usize = 50;

/// The query parameters of a request. What a route does not take is refused.
pub(super) struct Query {
    /// Whether there is a query at all, even an empty one.
    is_there: bool,
    parameters: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(request: &Request) -> Result<Query, Response> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(request.raw_query_string().as_bytes()) {
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(problem::bad_request(&format!("the parameter {name:?} is repeated")));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(problem::bad_request("there are too many parameters"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Query { is_there: request.raw_url().contains('?'), parameters })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.parameters.iter().position(|(known, _)| known == name)?;
        Some(self.parameters.swap_remove(index).1)
    }

    pub(super) fn take_show(&mut self) -> Result<Show, Response> {
        let show = self.take_named("reply", Show::from_name, "be count, batch or array")?;
        Ok(show.unwrap_or(Show::Batch))
    }

    pub(super) fn take_selection(&mut self) -> Result<Selection, Response> {
        let all = Selection::ALL;
        let order = self.take_named("order", Order::from_name, "be asc or desc")?;
        Ok(Selection {
            bounds: self.take_bounds()?,
            order: order.unwrap_or(all.order),
            offset: self.take_size("offset")?.unwrap_or(all.offset),
            limit: self.take_size("limit")?.unwrap_or(all.limit),
        })
    }

    pub(super) fn take_bounds(&mut self) -> Result<Bounds, Response> {
        Ok(Bounds {
            min: self.take_integer("min")?.unwrap_or(Bounds::ALL.min),
            max: self.take_integer("max")?.unwrap_or(Bounds::ALL.max),
        })
    }

    pub(super) fn take_numbers(&mut self) -> Result<Numbers, Response> {
        let numbers = self.take_named("numbers", Numbers::from_name, "be number or string")?;
        Ok(numbers.unwrap_or_default())
    }

    /// What a request to remove wants removed; everything only if it does not say anything.
    pub(super) fn take_removal(&mut self) -> Result<Command, Response> {
        let value = self.take_integer("value")?;
        let all = self.take_named("all", from_flag, "be true or false")?;
        let (min, max) = (self.take_integer("min")?, self.take_integer("max")?);
        match (value, all, min, max) {
            (None, None, None, None) if !self.is_there => Ok(Command::Clear),
            (Some(value), all, None, None) => {
                Ok(Command::Remove { values: vec![value], all: all.unwrap_or(false) })
            }
            (None, None, Some(min), Some(max)) => Ok(Command::RemoveRange(Bounds { min, max })),
            _ => Err(problem::bad_request(
                "a removal has no query, or \"value\" and perhaps \"all\", or \"min\" and \"max\"",
            )),
        }
    }

    pub(super) fn take_pop(&mut self) -> Result<Command, Response> {
        let end = self.take_named("end", End::from_name, "be min or max")?;
        let end = end.ok_or_else(|| missing("end"))?;
        Ok(Command::Pop { end, n: self.take_size("n")?.unwrap_or(1) })
    }

    pub(super) fn take_fractions(&mut self) -> Result<Vec<f64>, Response> {
        let list = self.take("q").ok_or_else(|| missing("q"))?;
        let within = |q: &f64| (0.0..=1.0).contains(q);
        let fractions = list.split(',').map(|text| text.parse().ok().filter(within));
        let fractions: Option<Vec<f64>> = fractions.take(MAX_QUANTILES + 1).collect();
        let fractions = fractions.ok_or_else(|| expected("q", "be numbers from 0 to 1"))?;
        if fractions.len() > MAX_QUANTILES {
            return Err(expected("q", &format!("have at most {MAX_QUANTILES} numbers")));
        }
        Ok(fractions)
    }

    pub(super) fn take_buckets(&mut self) -> Result<usize, Response> {
        let buckets = self.take_size("buckets")?.unwrap_or(DEFAULT_BUCKETS);
        if (1..=MAX_BUCKETS).contains(&buckets) {
            Ok(buckets)
        } else {
            Err(expected("buckets", &format!("be from 1 to {MAX_BUCKETS}")))
        }
    }

    fn take_integer(&mut self, name: &str) -> Result<Option<i64>, Response> {
        let value = self.take(name).map(|text| text.parse()).transpose();
        value.map_err(|_| expected(name, "be a 64-bit signed integer"))
    }

    /// A number of elements.
    fn take_size(&mut self, name: &str) -> Result<Option<usize>, Response> {
        let size = self.take_integer(name)?.map(usize::try_from).transpose();
        size.map_err(|_| expected(name, "not be negative"))
    }

    /// One of several names; `rule` says which ones.
    fn take_named<T>(
        &mut self,
        name: &str,
        from_name: fn(&str) -> Option<T>,
        rule: &str,
    ) -> Result<Option<T>, Response> {
        let Some(given) = self.take(name) else { return Ok(None) };
        from_name(&given).map(Some).ok_or_else(|| expected(name, rule))
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Response> {
        match self.parameters.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(problem::bad_request(&format!("there is no parameter {name:?} here")))
            }
        }
    }
}

fn from_flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

fn missing(name: &str) -> Response {
    problem::bad_request(&format!("the parameter {name:?} is missing"))
}

/// The refusal of a parameter that breaks its rule.
fn expected(name: &str, rule: &str) -> Response {
    problem::bad_request(&format!("the parameter {name:?} must {rule}"))
}
