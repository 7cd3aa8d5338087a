"""What schemathesis cannot read from the description."""

import struct

import schemathesis
from hypothesis import strategies as st

INTEGERS = st.lists(st.integers(min_value=-(2**63), max_value=2**63 - 1))


def lines(values):
    return "".join(f"{value}\n" for value in values).encode()


# How integers are written in forms that JSON Schema has no words for.
schemathesis.openapi.media_type(
    "application/octet-stream", INTEGERS.map(lambda values: struct.pack(f"<{len(values)}q", *values))
)
schemathesis.openapi.media_type("application/x-ndjson", INTEGERS.map(lines))
schemathesis.openapi.media_type("text/csv", INTEGERS.map(lambda values: b"value\n" + lines(values)))


def plain(value):
    """To JSON Schema 5.0 is an integer. The server takes only what is written as one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    return plain(body)


@schemathesis.hook
def map_query(context, query):
    return plain(query)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return plain(path_parameters)
