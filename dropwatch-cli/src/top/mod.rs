//! `dropwatch top`: counts in the kernel, and a table that is kept up to date.

mod batch;

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
    batch::run(config, top).await
}
