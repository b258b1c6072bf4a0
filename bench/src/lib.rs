//! Measures every strategy as a process, and makes the tables from what was measured.
//!
//! The modules are the tool's vocabulary, in the order of a run:
//!
//! - [`contender`]: a row of the tables, which is a program that honours a strategy's command line.
//! - [`building`]: all strategies in one release build.
//! - [`notebook`] and [`environment`]: the Python programs that can be rows too, and the Python that runs them.
//! - [`job`]: the flags that every contender gets.
//! - [`process`] and [`interrupt`]: a child that can be given up on, and the signal that says so.
//! - [`answer`]: what a strategy prints with `--format json`.
//! - [`hyperfine`]: cold times, through one adapter for both majors of its export.
//! - [`memory`]: what a whole process tree holds, sampled.
//! - [`schedule`]: who runs when.
//! - [`machine`], [`lines`]: what else a table has to say.
//! - [`record`]: the files of one run. Everything below reads those and nothing else.
//! - [`stats`], [`number`]: medians, intervals, and how many of their digits mean something.
//! - [`standings`]: the rows in order of their time, with ranks.
//! - [`porting`]: what each program of the notebook gains in Rust.
//! - [`table`], [`page`], [`index`], [`splice`]: what people read.
//! - [`tell`]: what is said on the way, to whoever listens.
//!
//! Apart from a run, [`scaffold`]: a new strategy, made from `sequential`.
//!
//! Tables are a pure function of the files of a run: remaking them gives the same bytes.
#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see tell.rs")]

pub mod answer;
pub mod building;
pub mod contender;
pub mod environment;
pub mod hyperfine;
pub mod index;
pub mod interrupt;
pub mod job;
pub mod lines;
pub mod machine;
pub mod memory;
pub mod notebook;
pub mod number;
pub mod page;
pub mod porting;
pub mod process;
pub mod record;
pub mod scaffold;
pub mod schedule;
pub mod splice;
pub mod standings;
pub mod stats;
pub mod table;
pub mod tell;
