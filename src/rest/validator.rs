//! Entity tags: how a client that has the array already is told so, instead of being sent it again.

use std::hash::{DefaultHasher, Hash, Hasher};

use rouille::Request;

use crate::command::Version;

/// What decides whether a client has already what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validator {
    /// Stands for what was asked for.
    asked: u64,
    /// The tags that the client has, as a list; none where it named none.
    known: Option<Box<str>>,
}

impl Validator {
    /// For a request for `what`, which tells apart all answers that one content can have.
    pub(super) fn new(request: &Request, what: impl Hash) -> Validator {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let is_it = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("If-None-Match");
        let fields: Vec<&str> = request.headers().filter(is_it).map(|(_, value)| value).collect();
        let known = (!fields.is_empty()).then(|| fields.join(",").into());
        Validator { asked: hasher.finish(), known }
    }

    /// The tag of the answer that shows this content: another one for another content, another
    /// question or another run of the server.
    pub(super) fn tag(&self, Version { run, state: (high, low) }: Version) -> String {
        format!("\"{run:x}-{high:x}-{low:x}-{:x}\"", self.asked)
    }

    /// Whether the client has the answer of this tag. Compares weakly, as RFC 9110 has it.
    pub(super) fn is_known(&self, tag: &str) -> bool {
        let Some(known) = &self.known else { return false };
        let mut known = known.split(',').map(str::trim);
        known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(fields: &[&str], what: u8) -> Validator {
        let headers = fields.iter().map(|value| ("if-none-match".to_owned(), (*value).to_owned()));
        Validator::new(&Request::fake_http("GET", "/", headers.collect(), vec![]), what)
    }

    #[test]
    fn a_tag_changes_with_all_that_it_stands_for() {
        let version = Version { run: 1, state: (2, 3) };
        let tag = validator(&[], 4).tag(version);
        assert_eq!(validator(&["\"x\""], 4).tag(version), tag);
        assert!(tag.starts_with('"') && tag.ends_with('"') && !tag.contains(','), "{tag}");
        let others = [
            validator(&[], 5).tag(version),
            validator(&[], 4).tag(Version { run: 9, ..version }),
            validator(&[], 4).tag(Version { state: (9, 3), ..version }),
            validator(&[], 4).tag(Version { state: (2, 9), ..version }),
        ];
        for other in others {
            assert_ne!(other, tag);
        }
    }

    #[test]
    fn a_tag_is_known_where_it_is_named() {
        let tag = "\"1-2\"";
        let known: [&[&str]; 6] = [
            &["\"1-2\""],
            &["W/\"1-2\""],
            &["*"],
            &["\"x\", \"1-2\""],
            &["\"x\",W/\"1-2\" ,\"y\""],
            &["\"x\"", "\"1-2\""],
        ];
        for fields in known {
            assert!(validator(fields, 0).is_known(tag), "{fields:?}");
        }
        let unknown: [&[&str]; 6] =
            [&[], &[""], &["\"x\""], &["1-2"], &["w/\"1-2\""], &["\"1-2-3\", \"1\""]];
        for fields in unknown {
            assert!(!validator(fields, 0).is_known(tag), "{fields:?}");
        }
    }
}
