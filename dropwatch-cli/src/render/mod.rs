//! Showing drops. One file a format; this is the only place where a drop becomes output.

pub mod details;
pub mod fields;
pub mod json;
pub mod openmetrics;
pub(crate) mod place;
pub mod plain_table;
mod rendered;
pub mod sample;
pub mod silent;
pub mod sources;
pub(crate) mod stack_text;
pub mod table;
pub mod text;

use anyhow::Result;

use crate::{config::Config, drop::Drop, explain::hints::Hints, world::netns};
use sources::Sources;
use text::{Text, TextConfig};

/// The format that the user wants.
///
/// # Errors
/// When what is to be shown besides the drops is damaged.
pub fn of(config: &Config, sources: Sources) -> Result<Box<dyn Render>> {
    if config.folded || config.silent {
        return Ok(Box::new(silent::Silent::new(sources, config.no_noise)));
    }
    if config.json {
        let json = json::Json::new(sources);
        return Ok(Box::new(if config.no_noise { json.without_noise() } else { json }));
    }
    let Config { columns, details, stack, color, .. } = config;
    let text =
        TextConfig { columns: columns.clone(), details: *details, stack: *stack, color: *color };
    let mut text = Text::new(sources, text);
    if let Some(hints) = Hints::wanted(config.hints)? {
        text = text.with_hints(hints.seen_from(netns::own()));
    }
    Ok(Box::new(if config.no_noise { text.without_noise() } else { text }))
}

/// A format.
pub trait Render {
    /// Appends what comes before the first drop.
    fn heading(&mut self, out: &mut Vec<u8>);

    /// Appends one drop; false, and nothing, where it is not to be shown.
    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) -> bool;

    /// The names of what is shown.
    fn sources(&mut self) -> &mut Sources;

    /// Called about once a second while drops come, to look whether the world has changed.
    fn tick(&mut self);
}
