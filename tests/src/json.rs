//! Reading what `--json` prints, strictly: each line has to be as the schema says.

use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use serde_json::Value;

use crate::{Launch, Namespace};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../../dropwatch-cli/schema/drop.schema.json");
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).expect("the schema is one")
});

/// Reads lines, each of which is a drop.
///
/// # Errors
/// When a line is not as the schema says.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Value>> {
    let mut events = Vec::new();
    for line in lines {
        let event = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        check(&event)?;
        events.push(event);
    }
    Ok(events)
}

/// Makes sure that a drop is as the schema says.
///
/// # Errors
/// When it is not.
pub fn check(event: &Value) -> Result<()> {
    let errors: Vec<_> =
        SCHEMA.iter_errors(event).map(|it| format!("{}: {it}", it.instance_path())).collect();
    ensure!(errors.is_empty(), "not as the schema says: {errors:#?}\n{event:#}");
    Ok(())
}

/// The drops in this namespace, in their order.
///
/// # Errors
/// When the namespace is gone.
pub fn within(events: &[Value], namespace: &Namespace) -> Result<Vec<Value>> {
    let inode = namespace.inode()?;
    let is_own = |event: &&Value| event["netns"]["inode"] == inode;
    Ok(events.iter().filter(is_own).cloned().collect())
}

/// The drops that something causes, and whatever else is dropped meanwhile.
///
/// # Errors
/// When it fails, or dropwatch does, or a line is not as the schema says.
pub fn drops_of(args: &[&str], action: impl FnOnce() -> Result<()>) -> Result<Vec<Value>> {
    let dropwatch = Launch::new(args).args(&["--json"]).start()?;
    action()?;
    let finished = dropwatch.interrupt()?;
    finished.success()?;
    finished.json()
}
