//! What a report prints.

use anyhow::Result;

use crate::{
    cli::ReportArgs,
    config,
    drop::Drop,
    export::folded::Folded,
    render::{
        Render,
        fields::Field,
        json::Json,
        sources::Sources,
        text::{Text, TextConfig},
    },
};

/// One of the forms that a report has, with the names of what it shows.
pub enum Shown {
    /// The drops themselves.
    Drops(Box<dyn Render>),
    /// Their stacks.
    Folded(Folded, Sources),
}

impl Shown {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// When an argument has no meaning.
    pub fn new(args: &ReportArgs, sources: Sources) -> Result<Self> {
        if args.folded {
            return Ok(Self::Folded(Folded::default(), sources));
        }
        if args.json {
            return Ok(Self::Drops(Box::new(Json::new(sources))));
        }
        let config = TextConfig {
            columns: match &args.fields {
                Some(text) => config::fields(text)?,
                None => Field::DEFAULT.to_vec(),
            },
            details: args.verbose_packet,
            stack: args.stack,
            color: config::color(args.color),
        };
        Ok(Self::Drops(Box::new(Text::new(sources, config))))
    }

    /// The names of what is shown.
    pub fn sources(&mut self) -> &mut Sources {
        match self {
            Self::Drops(render) => render.sources(),
            Self::Folded(_, sources) => sources,
        }
    }

    /// What comes before the first drop.
    pub fn heading(&mut self, out: &mut Vec<u8>) {
        if let Self::Drops(render) = self {
            render.heading(out);
        }
    }

    /// Takes a drop.
    pub fn drop(&mut self, drop: &Drop, out: &mut Vec<u8>) {
        match self {
            Self::Drops(render) => render.as_mut().drop(drop, out),
            Self::Folded(stacks, sources) => stacks.add(drop, sources),
        }
    }

    /// What comes behind the last drop.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Self::Folded(stacks, _) = self {
            // Writing to memory does not fail.
            let _ = stacks.write(out);
        }
    }
}
