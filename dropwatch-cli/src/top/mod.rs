//! `dropwatch top`: counts in the kernel, and a table that is kept up to date.

mod batch;
pub mod columns;
pub mod facts;
mod feed;
pub mod input;
pub mod keys;
pub mod list;
pub mod live;
pub mod look;
pub mod model;
pub mod names;
pub mod samples;
pub mod screen;
pub mod terminal;
pub mod view;

use anyhow::Result;

use crate::{
    config::{Config, TopConfig},
    verdict::Verdict,
};

/// Shows the table until the end is requested.
///
/// # Errors
/// When drops cannot be traced, or the table not be shown.
pub async fn run(config: &Config, top: &TopConfig) -> Result<Verdict> {
    if top.batch { batch::run(config, top).await } else { feed::run(config, top).await }
}
