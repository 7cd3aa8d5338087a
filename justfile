# List the steps.
default:
    @just --list

# What CI runs.
ci:
    bash .ci/run

# Format everything.
fmt:
    cargo fmt --all

# Lint as CI does.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Run every test.
test:
    cargo test --workspace

# Licences, duplicate and banned crates, sources.
deny:
    cargo deny --workspace check licenses bans sources

# Known vulnerabilities and unmaintained crates; fetches the database.
advisories:
    cargo deny --workspace check advisories

# Start the server.
run *FLAGS:
    cargo run --release -- {{FLAGS}}

# Fire the load test client at it.
loadtest *FLAGS:
    cargo run --release -p loadtest -- {{FLAGS}}

# Measure the store.
bench:
    cargo bench --bench store

# What the store costs, as tables.
footprint *FLAGS:
    cargo run --release --example footprint -- {{FLAGS}}
