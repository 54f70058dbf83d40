//! Showing drops. One file a format; this is the only place where a drop becomes output.

pub mod details;
pub mod fields;
pub mod json;
pub(crate) mod place;
pub mod plain_table;
pub mod silent;
pub mod sources;
pub(crate) mod stack_text;
pub mod table;
pub mod text;

use crate::{config::Config, drop::Drop};
use sources::Sources;
use text::{Text, TextConfig};

/// The format that the user wants.
pub fn of(config: &Config, sources: Sources) -> Box<dyn Render> {
    if config.folded || config.silent {
        return Box::new(silent::Silent(sources));
    }
    if config.json {
        return Box::new(json::Json::new(sources));
    }
    let Config { columns, details, stack, color, .. } = config;
    let text =
        TextConfig { columns: columns.clone(), details: *details, stack: *stack, color: *color };
    Box::new(Text::new(sources, text))
}

/// A format.
pub trait Render {
    /// Appends what comes before the first drop.
    fn heading(&mut self, out: &mut Vec<u8>);

    /// Appends one drop.
    fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>);

    /// The names of what is shown.
    fn sources(&mut self) -> &mut Sources;

    /// Called about once a second while drops come, to look whether the world has changed.
    fn tick(&mut self);
}
