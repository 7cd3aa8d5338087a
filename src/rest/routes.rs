//! Which request asks for which command, and how its reply is presented.

use rouille::{Request, Response, router};

use crate::command::{Command, End, Error, Reply};
use crate::json::Numbers;

use super::query::Query;
use super::{ArrayForm, description, exposition, problem, representation};

/// What `GET /` answers.
const PAGE: &str = include_str!("page.txt");

/// The methods that any route takes; `HEAD` goes wherever `GET` does.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

/// The range of the integer that a `POST` without a body adds, as the classic exercise has it.
const RANDOM_VALUES: std::ops::RangeInclusive<i64> = 1000..=10_000;

/// A method and a path that mean something, and what stands in the path.
enum Route {
    Page,
    Livez,
    Readyz,
    GetArray,
    PostArray,
    DeleteArray,
    GetCount,
    GetRank(String),
    GetAt(String),
    GetExtreme(End),
    GetQuantiles,
    GetHistogram,
    PostPop,
    GetStats,
    GetMetrics,
    Description,
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
        // Taken as text: what is malformed is refused, not overlooked.
        (GET) ["/array/rank/{value}", value: String] => { Some(Route::GetRank(value)) },
        (GET) ["/array/at/{index}", index: String] => { Some(Route::GetAt(index)) },
        (GET) ["/array/min"] => { Some(Route::GetExtreme(End::Min)) },
        (GET) ["/array/max"] => { Some(Route::GetExtreme(End::Max)) },
        (GET) ["/array/quantiles"] => { Some(Route::GetQuantiles) },
        (GET) ["/array/histogram"] => { Some(Route::GetHistogram) },
        (POST) ["/array/pop"] => { Some(Route::PostPop) },
        (GET) ["/stats"] => { Some(Route::GetStats) },
        (GET) ["/metrics"] => { Some(Route::GetMetrics) },
        (GET) ["/openapi.json"] => { Some(Route::Description) },
        // The names of the classic exercise.
        (GET) ["/get_array"] => { Some(Route::GetArray) },
        (POST) ["/add_value"] => { Some(Route::PostArray) },
        (DELETE) ["/clean_array"] => { Some(Route::DeleteArray) },
        _ => None
    )
}

/// How the reply to a request is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// As an object.
    Object(Numbers),
    /// As an object that tells of something created.
    Created(Numbers),
    /// As the bare array, in this form.
    Array(ArrayForm),
    /// As the word `ok`.
    Health,
    /// As text for Prometheus.
    Exposition,
}

impl Presentation {
    /// As an object as any other.
    pub const OBJECT: Presentation = Presentation::Object(Numbers::Plain);
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
    let asked = match route {
        Route::Page => return Err(query.finish().err().unwrap_or(representation::text(PAGE))),
        Route::Livez => return Err(query.finish().err().unwrap_or(representation::text("ok\n"))),
        Route::Description => {
            return Err(query.finish().err().unwrap_or_else(description::respond));
        }
        Route::Readyz => (Presentation::Health, Command::Ready),
        Route::GetArray => {
            let selection = query.take_selection()?;
            let form = ArrayForm::wanted(request, &selection, query.take_numbers()?)?;
            (Presentation::Array(form), Command::Array(selection))
        }
        Route::PostArray => {
            let (show, numbers) = (query.take_show()?, query.take_numbers()?);
            let values = representation::read_values(request, max_body_bytes)?;
            let values = values.unwrap_or_else(|| vec![rand::random_range(RANDOM_VALUES)]);
            (Presentation::Created(numbers), Command::Add { values, show })
        }
        Route::DeleteArray => (Presentation::OBJECT, query.take_removal()?),
        Route::GetCount => (Presentation::OBJECT, Command::Count(query.take_bounds()?)),
        Route::GetStats => (Presentation::OBJECT, Command::Stats),
        Route::GetMetrics => (Presentation::Exposition, Command::Metrics),
        Route::GetRank(value) => showing(&mut query, Command::Rank { value: integer(&value)? })?,
        Route::GetAt(index) => showing(&mut query, Command::At { index: integer(&index)? })?,
        Route::GetExtreme(end) => showing(&mut query, Command::Extreme(end))?,
        Route::GetQuantiles => {
            let q = query.take_fractions()?;
            showing(&mut query, Command::Quantiles { q })?
        }
        Route::GetHistogram => {
            let buckets = query.take_buckets()?;
            showing(&mut query, Command::Histogram { buckets })?
        }
        Route::PostPop => {
            let pop = query.take_pop()?;
            showing(&mut query, pop)?
        }
    };
    query.finish()?;
    Ok(asked)
}

/// The command of a request whose reply shows elements, which the client may want as strings.
fn showing(query: &mut Query, command: Command) -> Result<(Presentation, Command), Response> {
    Ok((Presentation::Object(query.take_numbers()?), command))
}

/// An integer that stands in a path.
fn integer(text: &str) -> Result<i64, Response> {
    let refusal =
        |_| problem::bad_request(&format!("{text:?} in the path is not a 64-bit signed integer"));
    text.parse().map_err(refusal)
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

/// The response that shows a reply.
pub fn respond(presentation: &Presentation, reply: Reply) -> Response {
    match (presentation, reply) {
        (_, Reply::Error(error)) => problem::of_error(&error),
        (_, Reply::At { index, value: None }) => problem::of_error(&Error::out_of_range(index)),
        (Presentation::Health, _) => representation::text("ok\n"),
        (Presentation::Exposition, Reply::Stats(stats)) => exposition::respond(&stats),
        (Presentation::Array(form), Reply::Array { count, shown, values, version }) => {
            form.respond(count, shown, values, version)
        }
        (Presentation::Created(numbers), reply) => representation::object(201, reply, *numbers),
        (Presentation::Object(numbers), reply) => representation::object(200, reply, *numbers),
        (Presentation::Array(_) | Presentation::Exposition, reply) => {
            representation::object(200, reply, Numbers::Plain)
        }
    }
}
