//! The REST API over rouille's own listener instead of the mio event loops: the same handler, the same
//! answers, in a dozen lines. For the shape, not for use: see "The shape" in the README.
//!
//! ```sh
//! cargo run --release --example rouille_listener
//! curl -d '[5,3]' localhost:8081/array
//! ```

use sortd::{execute::Executor, metrics::Metrics, rest, store::SortedMultiset};

fn main() {
    let (set, metrics) = (SortedMultiset::new(), Metrics::new());
    rouille::start_server("127.0.0.1:8081", move |request| {
        let mut executor = Executor::new(set.writer()).with_metrics(metrics.shard());
        rest::handle(request, |command| executor.execute(command))
    });
}
