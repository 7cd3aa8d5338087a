"""What redis-py makes of the server at the port that is given."""

import sys

import redis

port = int(sys.argv[1])

for protocol in (2, 3):
    r = redis.Redis(port=port, protocol=protocol, client_name="me", decode_responses=True)
    ask = r.execute_command
    assert r.ping() is True
    assert r.echo("hello") == "hello"
    ask("CLEAR")
    assert ask("ADD", 5, 3, 9) == 3
    assert ask("RANGE", 0, -1) == [3, 5, 9]
    assert ask("BETWEEN", "-inf", 5, "REV") == [5, 3]
    assert ask("AT", 7) is None
    assert ask("QUANTILE", 0.5, 1) == [5, 9]
    assert ask("POPMIN") == 3 and ask("POPMAX", 5) == [9, 5] and ask("POPMIN") is None

    pipeline = r.pipeline(transaction=False)
    for value in range(100):
        pipeline.execute_command("ADD", value)
    pipeline.execute_command("COUNT")
    assert pipeline.execute() == [*range(1, 101), 100]

    assert r.info()["redis_mode"] == "standalone" and r.info("array")["count"] == 100
    assert r.config_get("save") == {"save": ""} and r.config_get("maxmemory") == {}
    assert r.client_getname() == "me" and r.client_id() > 0
    (client,) = r.client_list()
    assert client["name"] == "me" and client["lib-name"].startswith("redis-py")
    assert r.command_count() == len(r.command()) == len(r.command_list())
    assert r.command()["add"]["arity"] == -2
    assert r.select(0) is True
    assert r.auth("token", "default") is True

    refused = {
        ("ADD", "x"): "value is not an integer or out of range",
        ("ADD",): "wrong number of arguments for 'add' command",
        ("NOTHING", "x"): "unknown command 'NOTHING', with args beginning with: 'x'",
        ("MULTI",): "pipelining works without MULTI and EXEC",
        ("SELECT", 1): "DB index is out of range",
    }
    for command, message in refused.items():
        try:
            ask(*command)
        except redis.ResponseError as error:
            assert message in str(error), error
        else:
            raise AssertionError(command)
    r.close()

print("redis-py", redis.__version__, "is content")
