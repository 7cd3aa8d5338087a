//! As much of an HTTP client as tests need, strict about what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::server::connect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Empty for octets.
    pub(crate) body: String,
    /// The body of type `application/octet-stream`.
    pub(crate) octets: Vec<u8>,
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

    /// As `ask`, with more header fields, each with its line end, and any body.
    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> Response {
        let length = body.len();
        self.send(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n"
        ));
        self.stream.get_mut().write_all(body).expect("the server reads");
        self.read(method == "HEAD")
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("the server reads");
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
        let mut response = Response { status, headers, body: String::new(), octets: Vec::new() };
        if !is_head && status != 304 {
            let body = self.body(&response);
            if response.header("content-type") == Some("application/octet-stream") {
                response.octets = body;
            } else {
                response.body = String::from_utf8(body).expect("the body is text");
            }
        }
        response
    }

    /// Whether the server has closed, after all that it has sent was read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.fill_buf().expect("the server closes in order").is_empty()
    }

    fn body(&mut self, response: &Response) -> Vec<u8> {
        let length = response.header("content-length").map(|n| n.parse().expect("it is a number"));
        match (length, response.header("transfer-encoding")) {
            (Some(length), None) => self.exactly(length),
            (None, Some("chunked")) => self.chunks(),
            other => panic!("the body's end cannot be told: {other:?}"),
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size =
                usize::from_str_radix(&self.line(), 16).expect("a chunk begins with its size");
            body.extend(self.exactly(size));
            assert_eq!(self.line(), "", "a chunk ends in an empty line");
            if size == 0 {
                return body;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the body is whole");
        bytes
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
