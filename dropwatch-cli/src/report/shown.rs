//! What a report prints.

use anyhow::Result;

use crate::{
    cli::ReportArgs,
    config::{self, TableConfig},
    counts::local::LocalCounts,
    drop::Drop,
    export::Exports,
    render::{
        Render,
        fields::Field,
        json::Json,
        plain_table,
        sources::Sources,
        text::{Text, TextConfig},
    },
};

/// One of the forms that a report has, with the names of what it shows.
pub enum Shown {
    /// A table of what there is.
    Table(LocalCounts, TableConfig, Sources),
    /// The drops themselves.
    Drops(Box<dyn Render>),
    /// Their stacks, which are folded elsewhere.
    Stacks(Sources),
}

impl Shown {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// When an argument has no meaning.
    pub fn new(args: &ReportArgs, sources: Sources) -> Result<Self> {
        let wants_drops =
            args.text || args.fields.is_some() || args.verbose_packet || args.stack.is_some();
        if !(args.folded || args.json || wants_drops) {
            let config = TableConfig::new(&args.table)?;
            return Ok(Self::Table(config.local_counts(), config, sources));
        }
        if args.folded {
            return Ok(Self::Stacks(sources));
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
            Self::Table(_, _, sources) | Self::Stacks(sources) => sources,
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
            Self::Drops(render) => {
                render.as_mut().drop(drop, out);
            }
            Self::Table(counts, ..) => counts.add(drop),
            Self::Stacks(_) => {}
        }
    }

    /// What comes behind the last drop.
    pub fn finish(self, exports: &Exports, out: &mut Vec<u8>) {
        match self {
            Self::Drops(_) => {}
            Self::Table(counts, config, mut sources) => {
                let (snapshot, seconds) = (counts.snapshot(), counts.seconds());
                plain_table::write_snapshot(&snapshot, seconds, &config, None, &mut sources, out);
            }
            Self::Stacks(_) => out.extend(exports.folded()),
        }
    }
}
