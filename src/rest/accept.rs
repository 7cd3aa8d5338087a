//! Content negotiation: which of several media types a client likes best.

/// The index of the type in `offered` that these `Accept` fields like best, the first of several liked
/// equally; none where they refuse all.
///
/// For each type its most specific range counts, as RFC 9110 has it. A client that says nothing takes
/// anything. What is no media range is passed over, and so are a range's parameters other than `q`.
pub(super) fn choose<'h>(
    fields: impl Iterator<Item = &'h str>,
    offered: &[&'static str],
) -> Option<usize> {
    let mut says_nothing = true;
    let mut ranges = Vec::new();
    for element in fields.flat_map(|field| field.split(',')).map(str::trim) {
        if !element.is_empty() {
            says_nothing = false;
            ranges.extend(Range::parse(element));
        }
    }
    if says_nothing {
        return (!offered.is_empty()).then_some(0);
    }
    let mut best: Option<(usize, f32)> = None;
    for (index, media_type) in offered.iter().enumerate() {
        let matching = ranges.iter().filter_map(|r| Some((r.specificity(media_type)?, r.quality)));
        // Of ranges that are equally specific the first counts.
        let Some((_, quality)) = matching.rev().max_by_key(|(specificity, _)| *specificity) else {
            continue;
        };
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((index, quality));
        }
    }
    best.map(|(index, _)| index)
}

/// A media range with its quality, from 0 (refused) to 1.
struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    quality: f32,
}

impl<'h> Range<'h> {
    fn parse(element: &'h str) -> Option<Range<'h>> {
        let mut parts = element.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1.0;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim_end().eq_ignore_ascii_case("q")
            {
                quality = value.trim_start().parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
            }
        }
        Some(Range { kind, subtype, quality })
    }

    /// How closely this range describes a type, if it does.
    fn specificity(&self, media_type: &str) -> Option<u8> {
        let (kind, subtype) = media_type.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (_, "*") if self.kind.eq_ignore_ascii_case(kind) => Some(1),
            _ if self.kind.eq_ignore_ascii_case(kind)
                && self.subtype.eq_ignore_ascii_case(subtype) =>
            {
                Some(2)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: [&str; 2] = ["application/json", "application/octet-stream"];

    #[test]
    fn the_best_liked_is_chosen() {
        let (json, octets, neither) = (Some(0), Some(1), None);
        let rows: [(&[&str], Option<usize>); 27] = [
            (&[], json),
            (&[""], json),
            (&[" , ,"], json),
            (&["*/*"], json),
            (&["application/*"], json),
            (&["application/json"], json),
            (&["Application/JSON; charset=utf-8"], json),
            (&["application/octet-stream"], octets),
            (&["APPLICATION/Octet-Stream"], octets),
            (&["application/octet-stream, application/json"], json),
            (&["application/octet-stream, application/json;q=0.9"], octets),
            (&["application/json;q=0.9", "application/octet-stream"], octets),
            (&["application/octet-stream;q=0.5, */*;q=0.1"], octets),
            (&["*/*;q=0.1, application/octet-stream ; Q = 0.5"], octets),
            (&["application/json;q=0, */*"], octets),
            (&["*/*, application/json;q=0"], octets),
            (&["application/*;q=0.2, application/json;q=0.1"], octets),
            (&["*/*;q=1, application/*;q=0"], neither),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], json),
            (&["text/html"], neither),
            (&["text/*, image/png"], neither),
            (&["application/json;q=0"], neither),
            (&["*/*;q=0.000"], neither),
            (&["nonsense"], neither),
            (&["nonsense, application/json;q=2, application/octet-stream;q=0.001"], octets),
            (&["application/json;q=NaN"], neither),
            (&["*/json"], neither),
        ];
        for (fields, expected) in rows {
            assert_eq!(choose(fields.iter().copied(), &OFFERED), expected, "{fields:?}");
        }
    }
}
