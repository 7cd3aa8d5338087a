//! The same handler over rouille's own listener answers as the mio transport does.

use serde_json::Value;
use sortd::{execute::Executor, metrics::Metrics, rest, store::SortedMultiset};

use crate::http_client::{Client, Response, request};
use crate::server::start;

#[test]
fn both_transports_give_the_same_answers() {
    let server = start();
    let (set, metrics) = (SortedMultiset::new(), Metrics::new());
    let rouille = rouille::Server::new("127.0.0.1:0", move |request| {
        let mut executor = Executor::new(set.writer()).with_metrics(metrics.shard());
        rest::handle(request, |command| executor.execute(command))
    });
    let rouille = rouille.expect("a port is free");
    let address = rouille.server_addr();
    let (thread, stop) = rouille.stoppable();

    let conversation = [
        ("GET", "/", ""),
        ("GET", "/array", ""),
        ("POST", "/array", "[5,3]"),
        ("POST", "/array?reply=array", "{\"values\":[4]}"),
        ("POST", "/array?reply=count", "4"),
        ("POST", "/add_value", "[]"),
        ("GET", "/array", ""),
        ("GET", "/get_array", ""),
        ("GET", "/array?min=4&max=5&order=desc&offset=1&limit=5", ""),
        ("GET", "/array/count", ""),
        ("GET", "/array/count?min=5", ""),
        ("HEAD", "/array/count", ""),
        ("GET", "/array/rank/4", ""),
        ("GET", "/array/rank/four", ""),
        ("GET", "/array/at/-1", ""),
        ("HEAD", "/array/at/99", ""),
        ("GET", "/array/at/99", ""),
        ("GET", "/array/min?numbers=string", ""),
        ("GET", "/array/max", ""),
        ("GET", "/array/quantiles?q=0,0.5,1", ""),
        ("GET", "/array/histogram?buckets=3", ""),
        ("DELETE", "/array?value=4", ""),
        ("DELETE", "/array?min=4", ""),
        ("POST", "/array/pop?end=max", ""),
        ("GET", "/array/pop?end=max", ""),
        ("GET", "/livez", ""),
        ("GET", "/readyz", ""),
        ("GET", "/openapi.json", ""),
        ("GET", "/openapi.json?x", ""),
        ("GET", "/array?limit=nothing", ""),
        ("POST", "/array", "[1,2.5]"),
        ("POST", "/array", "x"),
        ("PUT", "/array", "1"),
        ("GET", "/clean_array", ""),
        ("GET", "/%61rray", ""),
        ("GET", "/nothing?at=all", ""),
        ("DELETE", "/array", ""),
        ("DELETE", "/clean_array", ""),
    ];
    for (method, target, body) in conversation {
        let ours = ask(server.http_addr(), method, target, body);
        let theirs = ask(address, method, target, body);
        assert_eq!(what_matters(&ours), what_matters(&theirs), "{method} {target} {body}");
    }

    let octets: Vec<u8> = [7_i64, -7, i64::MIN].into_iter().flat_map(i64::to_le_bytes).collect();
    let content = "Content-Type: application/octet-stream\r\n";
    let accept = "Accept: application/octet-stream\r\n";
    let conversation = [
        ("POST", "/array", content, &octets[..]),
        ("POST", "/array", content, &octets[1..]),
        ("POST", "/array", "Content-Type: text/plain\r\n", b"1"),
        ("GET", "/array", accept, b""),
        ("GET", "/array?order=desc&limit=2", accept, b""),
        ("HEAD", "/array", accept, b""),
        ("GET", "/array", "Accept: application/json;q=0.5, */*;q=0.1\r\n", b""),
        ("GET", "/array", "Accept: text/html\r\n", b""),
        ("GET", "/array", "Accept: text/csv\r\n", b""),
        ("GET", "/array", "If-None-Match: *\r\n", b""),
        ("POST", "/array", "Content-Type: text/csv\r\n", b"value\n8\n"),
        ("GET", "/array", "Accept: application/x-ndjson\r\n", b""),
    ];
    for (method, target, headers, body) in conversation {
        let [ours, theirs] = [server.http_addr(), address]
            .map(|address| Client::connect(address).ask_with(method, target, headers, body));
        assert_eq!(what_matters(&ours), what_matters(&theirs), "{method} {target} {headers}");
    }

    // The rest of it is different for good reason.
    for field in ["version", "epoch", "count", "requests", "values_added", "values_removed"] {
        let stats = [server.http_addr(), address].map(|address| {
            let stats: Value = serde_json::from_str(&ask(address, "GET", "/stats", "").body)
                .expect("stats are JSON");
            stats[field].clone()
        });
        assert_eq!(stats[0], stats[1], "{field}");
    }

    stop.send(()).expect("it is waiting for the word");
    thread.join().expect("it ends in order");
}

/// Asks over a connection of its own.
fn ask(address: std::net::SocketAddr, method: &str, target: &str, body: &str) -> Response {
    let mut client = Client::connect(address);
    client.send(&request(method, target, body));
    client.read(method == "HEAD")
}

/// What the handler says, without what a transport adds.
fn what_matters(response: &Response) -> (u16, [Option<&str>; 4], &str, &[u8]) {
    let headers =
        ["content-type", "allow", "sortd-count", "vary"].map(|name| response.header(name));
    (response.status, headers, &response.body, &response.octets)
}
