//! Which request asks for which command, and how its reply is presented.

use rouille::{Request, Response, router};

use crate::command::{Bounds, Command, Order, Reply, Selection, Show};

use super::{Representation, problem, representation};

/// What `GET /` answers.
const PAGE: &str = include_str!("page.txt");

/// The methods that any route takes; `HEAD` goes wherever `GET` does.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

/// More parameters than any route takes: bounds the search for repeated ones.
const MAX_PARAMETERS: usize = 16;

/// The range of the integer that a `POST` without a body adds, as the classic exercise has it.
const RANDOM_VALUES: std::ops::RangeInclusive<i64> = 1000..=10_000;

/// A method and a path that mean something.
#[derive(Clone, Copy)]
enum Route {
    Page,
    Livez,
    Readyz,
    GetArray,
    PostArray,
    DeleteArray,
    GetCount,
    GetStats,
}

#[expect(clippy::question_mark, reason = "the macro's expansion")]
fn route(request: &Request) -> Option<Route> {
    router!(request,
        (GET) ["/"] => { Some(Route::Page) },
        (GET) ["/livez"] => { Some(Route::Livez) },
        (GET) ["/readyz"] => { Some(Route::Readyz) },
        (GET) ["/array"] => { Some(Route::GetArray) },
        (POST) ["/array"] => { Some(Route::PostArray) },
        (DELETE) ["/array"] => { Some(Route::DeleteArray) },
        (GET) ["/array/count"] => { Some(Route::GetCount) },
        (GET) ["/stats"] => { Some(Route::GetStats) },
        // The names of the classic exercise.
        (GET) ["/get_array"] => { Some(Route::GetArray) },
        (POST) ["/add_value"] => { Some(Route::PostArray) },
        (DELETE) ["/clean_array"] => { Some(Route::DeleteArray) },
        _ => None
    )
}

/// How the reply to a request is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// As an object.
    Object,
    /// As an object that tells of something created.
    Created,
    /// As the bare array, in this form.
    Array(Representation),
    /// As the word `ok`.
    Health,
}

/// The command that a request asks for, or the response to one that is refused or needs none.
///
/// Reads at most `max_body_bytes` of the body.
pub fn parse(
    request: &Request,
    max_body_bytes: usize,
) -> Result<(Presentation, Command), Response> {
    // rouille's router knows no HEAD.
    let found = if request.method() == "HEAD" {
        route(&Request::fake_http("GET", request.raw_url(), vec![], vec![]))
    } else {
        route(request)
    };
    let Some(route) = found else { return Err(not_routed(request)) };
    let mut query = Query::parse(request)?;
    let parsed = match route {
        Route::Page => Err(representation::text(PAGE)),
        Route::Livez => Err(representation::text("ok\n")),
        Route::Readyz => Ok((Presentation::Health, Command::Ready)),
        Route::GetArray => {
            let representation = Representation::wanted(request)?;
            Ok((Presentation::Array(representation), Command::Array(query.take_selection()?)))
        }
        Route::PostArray => {
            let show = query.take_show()?;
            let values = representation::read_values(request, max_body_bytes)?;
            let values = values.unwrap_or_else(|| vec![rand::random_range(RANDOM_VALUES)]);
            Ok((Presentation::Created, Command::Add { values, show }))
        }
        Route::DeleteArray => Ok((Presentation::Object, Command::Clear)),
        Route::GetCount => Ok((Presentation::Object, Command::Count(query.take_bounds()?))),
        Route::GetStats => Ok((Presentation::Object, Command::Stats)),
    };
    query.finish()?;
    parsed
}

/// The response to a request that no route takes.
fn not_routed(request: &Request) -> Response {
    let path = request.raw_url().split('?').next().unwrap_or_default();
    let takes =
        |method: &&'static str| route(&Request::fake_http(*method, path, vec![], vec![])).is_some();
    let mut allowed: Vec<&str> = METHODS.iter().copied().filter(|method| takes(method)).collect();
    if allowed.is_empty() {
        return problem::not_found(path);
    }
    if allowed[0] == "GET" {
        allowed.insert(1, "HEAD");
    }
    problem::method_not_allowed(allowed.join(", "))
}

/// The query parameters of a request. What a route does not take is refused.
struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    fn parse(request: &Request) -> Result<Query, Response> {
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
        Ok(Query { parameters })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.parameters.iter().position(|(known, _)| known == name)?;
        Some(self.parameters.swap_remove(index).1)
    }

    fn take_show(&mut self) -> Result<Show, Response> {
        let show = self.take_named("reply", Show::from_name, "be count, batch or array")?;
        Ok(show.unwrap_or(Show::Batch))
    }

    fn take_selection(&mut self) -> Result<Selection, Response> {
        let all = Selection::ALL;
        let order = self.take_named("order", Order::from_name, "be asc or desc")?;
        Ok(Selection {
            bounds: self.take_bounds()?,
            order: order.unwrap_or(all.order),
            offset: self.take_size("offset")?.unwrap_or(all.offset),
            limit: self.take_size("limit")?.unwrap_or(all.limit),
        })
    }

    fn take_bounds(&mut self) -> Result<Bounds, Response> {
        Ok(Bounds {
            min: self.take_integer("min")?.unwrap_or(Bounds::ALL.min),
            max: self.take_integer("max")?.unwrap_or(Bounds::ALL.max),
        })
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
    fn finish(self) -> Result<(), Response> {
        match self.parameters.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(problem::bad_request(&format!("there is no parameter {name:?} here")))
            }
        }
    }
}

/// The refusal of a parameter that breaks its rule.
fn expected(name: &str, rule: &str) -> Response {
    problem::bad_request(&format!("the parameter {name:?} must {rule}"))
}

/// The response that shows a reply.
pub fn respond(presentation: Presentation, reply: Reply) -> Response {
    match (presentation, reply) {
        (_, Reply::Error(error)) => problem::of_error(&error),
        (Presentation::Health, _) => representation::text("ok\n"),
        (Presentation::Array(representation), Reply::Array { count, shown, values, .. }) => {
            representation::array(representation, count, shown, values)
        }
        (Presentation::Created, reply) => representation::object(201, reply),
        (Presentation::Object | Presentation::Array(_), reply) => {
            representation::object(200, reply)
        }
    }
}
