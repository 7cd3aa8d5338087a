//! Servers under test, in this process and as a program, and the plainest of clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sortd::{Config, Server};

/// Longer than anything here takes unless it is stuck: turns a hang into a failure.
pub(crate) const STUCK: Duration = Duration::from_secs(60);

/// The default settings on free ports.
pub(crate) fn config() -> Config {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Config { listen: any_port, http: any_port, workers: 2, ..Config::default() }
}

/// A server in this process.
pub(crate) fn start() -> Server {
    start_with(config())
}

pub(crate) fn start_with(config: Config) -> Server {
    Server::start(config).expect("free ports can be bound")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(STUCK)).expect("the time is not zero");
    stream.set_write_timeout(Some(STUCK)).expect("the time is not zero");
    stream
}

/// Sends bytes, says that there are no more, and returns all that comes back.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).expect("the server reads");
    stream.shutdown(Shutdown::Write).expect("the connection stands");
    read_to_end(stream)
}

pub(crate) fn read_to_end(mut stream: TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server answers text and closes in order");
    reply
}

/// A client of the socket face, a line at a time.
pub(crate) struct Lines {
    stream: BufReader<TcpStream>,
}

impl Lines {
    pub(crate) fn connect(server: &Server) -> Lines {
        Lines::over(connect(server.socket_addr()))
    }

    pub(crate) fn over(stream: TcpStream) -> Lines {
        Lines { stream: BufReader::new(stream) }
    }

    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(&format!("{request}\n"));
        self.read()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("the server reads");
    }

    /// The next line, without its end; empty if the server has closed.
    pub(crate) fn read(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers in time");
        line.trim_end_matches('\n').to_owned()
    }
}

/// The program `sortd`, killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) socket: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Program {
    /// Starts it on free ports, under a limit of descriptors if one is given.
    pub(crate) fn start(flags: &[&str], descriptors: Option<u32>) -> Program {
        let mut command = match descriptors {
            None => Command::new(env!("CARGO_BIN_EXE_sortd")),
            Some(limit) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, env!("CARGO_BIN_EXE_sortd")]);
                shell
            }
        };
        command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(flags);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program can be started");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut ready = String::new();
        stdout.read_line(&mut ready).expect("it is text");
        let address = |name: &str| {
            let field = ready.split_whitespace().find_map(|word| word.strip_prefix(name));
            field.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{ready:?}"))
        };
        assert_eq!(
            ready,
            format!("ready socket={} http={}\n", address("socket="), address("http="))
        );
        Program { socket: address("socket="), http: address("http="), child }
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own kill: there need not be a program of that name.
        let script = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &script]).status();
        assert!(sent.expect("the shell can be run").success());
    }

    /// The number after `field` in the process's status file.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("the process runs");
        let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("it is there");
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().expect("it is a number")
    }

    /// The exit code, once it has ended.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
