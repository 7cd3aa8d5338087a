//! The description of the API, as OpenAPI 3.1.

use rouille::{Response, ResponseBody};

use super::representation;

/// The description, but for the version.
const DESCRIPTION: &str = include_str!("openapi.json");

/// The response that shows it.
pub(super) fn respond() -> Response {
    let body = ResponseBody::from_string(description());
    representation::with_type(200, "application/json", body)
}

fn description() -> String {
    DESCRIPTION.replacen("@VERSION@", env!("CARGO_PKG_VERSION"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    use serde_json::Value;

    fn parsed() -> Value {
        serde_json::from_str(&description()).expect("it is JSON")
    }

    /// All strings that are the values of members of this name.
    fn members<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get(name).and_then(Value::as_str));
                object.values().for_each(|value| members(value, name, found));
            }
            Value::Array(array) => array.iter().for_each(|value| members(value, name, found)),
            _ => {}
        }
    }

    #[test]
    fn it_describes_every_route_and_no_other() {
        let description = parsed();
        let paths = description["paths"].as_object().expect("it is an object");
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().expect("it is an object").keys();
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        // The router is a macro: what it routes stands in its source.
        let source = include_str!("routes.rs");
        let mut routed = BTreeSet::new();
        for line in source.lines() {
            let Some((method, rest)) =
                line.trim().strip_prefix('(').and_then(|l| l.split_once(") [\""))
            else {
                continue;
            };
            let path = rest.split('"').next().expect("it ends");
            routed.insert((method.to_owned(), path.to_owned()));
            if method == "GET" {
                routed.insert(("HEAD".to_owned(), path.to_owned()));
            }
        }
        assert!(routed.len() > 30, "they are found: {routed:?}");
        assert_eq!(described, routed);
    }

    #[test]
    fn it_refers_to_what_is_there() {
        let description = parsed();
        assert_eq!(description["openapi"], "3.1.0");
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut references = Vec::new();
        members(&description, "$ref", &mut references);
        assert!(references.len() > 100);
        for reference in references {
            let pointer = reference.strip_prefix('#').expect("it is in here");
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        let mut names = Vec::new();
        members(&description, "operationId", &mut names);
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
