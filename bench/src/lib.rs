//! Measures every strategy as a process, and makes the tables from what was measured.
//!
//! The rooms, in the order in which data goes through them:
//!
//! - [`entrants`]: who takes part, and how it is built.
//! - [`sampling`]: taking samples.
//! - [`run`]: the files of a run. Everything below reads those, and what the notebook's programs are to be compared with.
//! - [`numbers`]: medians, intervals, ranks, and what each sweep says.
//! - [`text`]: what people read.
//! - [`picture`]: what people look at.
//! - [`html`]: the same as a page for a browser.
//! - [`advice`]: which strategy to pick, and how long it will take, from a model that is fitted to a run with its sweeps.
//!
//! [`report`] makes all that people read of a run.
//!
//! Below all of them is [`process`]: children, signals, and what is said on the way. Apart from a run is [`scaffold`]: new
//! strategies and jobs, made from templates.
//!
//! Tables are a pure function of the files of a run: remaking them gives the same bytes.
#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see process/tell.rs")]

pub mod advice;
pub mod entrants;
pub mod html;
pub mod numbers;
pub mod picture;
pub mod process;
pub mod report;
pub mod run;
pub mod sampling;
pub mod scaffold;
pub mod text;
