//! The walls between the rooms, as ARCHITECTURE.md draws them, checked against the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a room may use: other rooms, then crates.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
    /// Words that must not be there, because they would let in what the room must not know.
    never: &'static [&'static str],
}

const SOCKETS: [&str; 3] = ["TcpStream", "TcpListener", "UdpSocket"];

const ROOMS: &[Room] = &[
    Room {
        name: "store",
        rooms: &[],
        crates: &["arc_swap", "crossbeam_epoch", "crossbeam_skiplist", "crossbeam_utils"],
        never: &["Instant", "SystemTime", "std::fs", "std::io", "println", "eprintln"],
    },
    Room { name: "command", rooms: &[], crates: &[], never: &["Instant", "SystemTime", "std::io"] },
    Room {
        name: "execute",
        rooms: &["command", "metrics", "store"],
        crates: &["crossbeam_utils"],
        never: &["Instant::now", "std::io"],
    },
    Room {
        name: "json",
        rooms: &["command"],
        crates: &["itoa", "serde", "serde_json"],
        never: &[],
    },
    Room {
        name: "wire",
        rooms: &["command", "json", "session"],
        crates: &["bytes", "httparse", "itoa", "memchr", "serde"],
        never: &["Instant", "SystemTime", "mio"],
    },
    Room { name: "session", rooms: &["command"], crates: &[], never: &["Instant", "SystemTime"] },
    Room {
        name: "rest",
        rooms: &["command", "json"],
        crates: &["form_urlencoded", "itoa", "rand", "rouille", "serde", "serde_json"],
        never: &["Instant", "SystemTime"],
    },
    Room {
        name: "net",
        rooms: &["command", "execute", "metrics", "rest", "session", "wire"],
        crates: &[
            "bytes",
            "crossbeam_channel",
            "httpdate",
            "log",
            "mio",
            "rouille",
            "rustix",
            "slab",
            "socket2",
        ],
        never: &[],
    },
    Room {
        name: "metrics",
        rooms: &[],
        crates: &["crossbeam_utils", "rustix"],
        never: &["std::net"],
    },
    Room { name: "config", rooms: &[], crates: &["clap", "humantime", "log"], never: &[] },
    Room {
        name: "server",
        rooms: &[
            "command", "config", "execute", "json", "metrics", "net", "rest", "session", "store",
            "wire",
        ],
        crates: &["log"],
        never: &[],
    },
    // The program itself sees only what the library shows.
    Room {
        name: "main",
        rooms: &[],
        crates: &["clap", "log", "rustix", "signal_hook", "simplelog", "sortd"],
        never: &[],
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The code of a file: without comments, and without its tests, which may look over walls.
fn code(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("it has a name");
    let is_in_tests = path.parent().is_some_and(|folder| folder.ends_with("tests"));
    if stem.ends_with("tests") || is_in_tests {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("it is text");
    let text = text.split("#[cfg(test)]").next().expect("there is a first part");
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first segment of the path of each file below `src` is its room.
fn room_of(path: &Path) -> String {
    let path = path.strip_prefix(root().join("src")).expect("it is below src");
    let first = path.components().next().expect("it has a name").as_os_str();
    first.to_str().expect("it is ASCII").trim_end_matches(".rs").to_owned()
}

/// The names that follow `prefix`, and those in braces behind it.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                names.extend(list.split(',').map(|name| {
                    name.trim().chars().take_while(|&c| is_name(c)).collect::<String>()
                }));
            }
            None => {
                names.insert(rest.chars().take_while(|&c| is_name(c)).collect());
            }
        }
    }
    names.remove("");
    names
}

/// The crates that the manifest names, as the source writes them.
fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("there is a manifest");
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).expect("there are some");
    let lines = dependencies.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

fn uses_crate(code: &str, name: &str) -> bool {
    if code.contains(&format!("use {name} as ")) {
        return true;
    }
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        !before.is_ascii_alphanumeric() && !"_:".contains(before)
    })
}

#[test]
fn each_room_uses_only_what_it_may() {
    let crates = crates();
    let mut seen = BTreeSet::new();
    for path in sources(&root().join("src")) {
        let name = room_of(&path);
        if name == "lib" {
            continue;
        }
        let room = ROOMS.iter().find(|room| room.name == name);
        let room = room.unwrap_or_else(|| panic!("{name} is a room without walls"));
        seen.insert(room.name);
        let code = code(&path);
        let shown = path.display();
        for used in names_after(&code, "crate::") {
            let allowed = used == room.name || room.rooms.contains(&used.as_str());
            // The crate's root shows what some rooms hold.
            let from_root = room.name == "main" || used.starts_with(char::is_uppercase);
            assert!(allowed || from_root, "{shown} uses the room {used}");
        }
        for used in crates.iter().filter(|name| uses_crate(&code, name)) {
            assert!(room.crates.contains(&used.as_str()), "{shown} uses the crate {used}");
        }
        let sockets = SOCKETS.iter().filter(|_| !["net", "main"].contains(&room.name));
        for word in room.never.iter().chain(sockets) {
            assert!(!code.contains(word), "{shown} knows of {word}");
        }
    }
    assert_eq!(seen.len(), ROOMS.len(), "every room with walls is there");
}

#[test]
fn every_crate_is_in_use() {
    let all: String = sources(&root().join("src")).iter().map(|path| code(path)).collect();
    for name in crates() {
        assert!(uses_crate(&all, &name), "{name} is not used");
    }
}

#[test]
fn the_architecture_names_every_room() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("there is one");
    for room in ROOMS.iter().filter(|room| room.name != "main") {
        assert!(page.contains(&format!("\n| `{}` |", room.name)), "{} has no row", room.name);
    }
}

#[test]
fn the_load_test_shares_no_code_with_the_server() {
    let folder = root().join("loadtest");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("there is a manifest");
    assert!(!manifest.lines().any(|line| line.starts_with("sortd")), "it depends on the server");
    for path in sources(&folder) {
        let text = fs::read_to_string(&path).expect("it is text");
        assert!(!uses_crate(&text, "sortd"), "{}", path.display());
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    let code =
        "use crate::store::Writer;\nuse crate::{net, wire::lines};\nlet x = crate::json::parse;";
    let found: Vec<String> = names_after(code, "crate::").into_iter().collect();
    assert_eq!(found, ["json", "net", "store", "wire"]);
    assert!(uses_crate("use mio::Poll;", "mio") && uses_crate("let p = mio::Poll;", "mio"));
    assert!(!uses_crate("use premio::Poll; crate::mio::x", "mio"));
}
