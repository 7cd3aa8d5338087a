//! What the store costs: bytes an element, time an operation, beside what one would use without it.
//!
//! ```sh
//! cargo run --release --example footprint -- --help
//! cargo run --release --example footprint                              # all groups, some ten minutes
//! cargo run --release --example footprint -- add --up-to 100000000 --rounds 5 --peers
//! ```
//!
//! Prints Markdown. Each cell is a median over rounds with the least and the greatest in brackets.
//! Times are from a clock on the wall: whatever else the machine does shows in them.

mod adds;
mod process;
mod reads;
mod removals;
mod report;
#[path = "../../benches/stores/mod.rs"]
mod stores;

use std::thread;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

/// The smallest size that there is a row for.
const LEAST: usize = 100_000;

/// The size at which groups look that look at one only, unless `--up-to` is less.
const LARGE: usize = 10_000_000;

/// What the store costs, in Markdown tables.
#[derive(Debug, Parser)]
struct Cli {
    /// What to measure.
    #[command(subcommand)]
    group: Option<Group>,

    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Group {
    /// All of the following, each in a process of its own (the default).
    All,
    /// Memory an element and time an add, at powers of ten.
    Add,
    /// The same, as ratios: each peer to this store.
    Compare,
    /// Rank, at and quantile, while nobody or two threads write.
    Reads,
    /// Snapshots while sixteen threads write.
    Snapshots,
    /// Pairs of taking the smallest element and adding a later one.
    Queue,
    /// Reading all elements.
    Scan,
    /// Removing all elements, and the longest single add meanwhile.
    Clear,
    /// One store that grows, its figures alone: what `add` and `compare` start a process for.
    #[command(hide = true)]
    Grow(adds::Growth),
}

impl Group {
    /// All that `all` runs, by the names they have on the command line.
    const NAMES: [&str; 7] = ["add", "compare", "reads", "snapshots", "queue", "scan", "clear"];
}

#[derive(Clone, Debug, Args)]
struct Options {
    /// The largest size: powers of ten from 100000 up to it.
    #[arg(long, global = true, value_name = "N", default_value_t = LARGE)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(LEAST as u64..=1_000_000_000))]
    up_to: usize,

    /// How often each measurement is made.
    #[arg(long, global = true, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    rounds: usize,

    /// Measure peers, too, where they can do it (`compare` always does).
    #[arg(long, global = true)]
    peers: bool,

    /// How many pairs `queue` makes: rounded up to millions.
    #[arg(long, global = true, value_name = "N", default_value_t = 10_000_000)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pairs: usize,
}

impl Options {
    fn sizes(&self) -> impl Iterator<Item = usize> {
        let powers = std::iter::successors(Some(LEAST), |size| size.checked_mul(10));
        powers.take_while(|&size| size <= self.up_to)
    }

    /// The size of groups that look at one only.
    fn size(&self) -> usize {
        self.up_to.min(LARGE)
    }
}

fn main() {
    let Cli { group, options } = Cli::parse();
    match group.unwrap_or(Group::All) {
        Group::All => all(&options),
        Group::Add => adds::footprint(&options),
        Group::Compare => adds::compare(&options),
        Group::Reads => reads::order_statistics(&options),
        Group::Snapshots => reads::snapshots(&options),
        Group::Queue => removals::queue(&options),
        Group::Scan => reads::scan(&options),
        Group::Clear => removals::clear(&options),
        Group::Grow(growth) => growth.run(),
    }
}

fn all(options: &Options) {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, {} rounds.", options.rounds);
    for name in Group::NAMES {
        process::run_group(name, options);
    }
}
