//! The plainest of clients for the Redis protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use sortd::Server;

use crate::server::connect;

/// A client that sends commands as arrays and shows replies as they came.
pub(crate) struct Resp {
    stream: BufReader<TcpStream>,
}

impl Resp {
    pub(crate) fn connect(server: &Server) -> Resp {
        Resp::over(connect(server.socket_addr()))
    }

    pub(crate) fn over(stream: TcpStream) -> Resp {
        Resp { stream: BufReader::new(stream) }
    }

    /// Sends a command, given as words, and returns its reply.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.send(&array(command));
        self.read()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server reads");
    }

    /// The next reply, with all its elements; empty if the server has closed.
    pub(crate) fn read(&mut self) -> String {
        let mut frame = String::new();
        self.stream.read_line(&mut frame).expect("the server answers in time");
        if frame.is_empty() {
            return frame;
        }
        let (kind, number) = frame.split_at(1);
        let number = || number.trim_end().parse::<i64>().expect("it is a number");
        let elements = match kind {
            "$" if number() >= 0 => {
                let mut text = vec![0; usize::try_from(number()).expect("it fits") + 2];
                self.stream.read_exact(&mut text).expect("the string comes whole");
                return frame + std::str::from_utf8(&text).expect("it is text");
            }
            "*" | "~" => number(),
            "%" => 2 * number(),
            _ => 0,
        };
        let elements: Vec<String> = (0..elements).map(|_| self.read()).collect();
        frame + &elements.concat()
    }
}

/// A command, given as words, as an array.
pub(crate) fn array(command: &str) -> Vec<u8> {
    let words: Vec<&str> = command.split(' ').collect();
    let strings = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), strings.collect::<String>()).into_bytes()
}
