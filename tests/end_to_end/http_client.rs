//! As much of an HTTP client as tests need, strict about what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::server::connect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One connection, kept alive.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client { stream: BufReader::new(connect(address)) }
    }

    pub(crate) fn ask(&mut self, method: &str, target: &str, body: &str) -> Response {
        self.send(&request(method, target, body));
        self.read(method == "HEAD")
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.stream.get_mut().write_all(bytes.as_bytes()).expect("the server reads");
    }

    /// Reads one response whole.
    pub(crate) fn read(&mut self, is_head: bool) -> Response {
        let status_line = self.line();
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("a header field has a colon");
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        if !is_head {
            response.body = self.body(&response);
        }
        response
    }

    /// Whether the server has closed, after all that it has sent was read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.fill_buf().expect("the server closes in order").is_empty()
    }

    fn body(&mut self, response: &Response) -> String {
        let length = response.header("content-length").map(|n| n.parse().expect("it is a number"));
        match (length, response.header("transfer-encoding")) {
            (Some(length), None) => self.exactly(length),
            (None, Some("chunked")) => self.chunks(),
            other => panic!("the body's end cannot be told: {other:?}"),
        }
    }

    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let size =
                usize::from_str_radix(&self.line(), 16).expect("a chunk begins with its size");
            body += &self.exactly(size);
            assert_eq!(self.line(), "", "a chunk ends in an empty line");
            if size == 0 {
                return body;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the body is whole");
        String::from_utf8(bytes).expect("the body is text")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers in time");
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no whole line: {line:?}")).to_owned()
    }
}

/// A request's bytes.
pub(crate) fn request(method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
