//! `--port`, `--sport`, `--dport`: numbers, ranges, and names from `/etc/services`.

use std::fs;

use super::range::{Range, range};

const SERVICES: &str = "/etc/services";

/// Reads one item.
///
/// # Errors
/// What is wrong with it, to stand behind the text.
pub fn parse(text: &str) -> Result<Range, String> {
    parse_with(text, || fs::read_to_string(SERVICES).unwrap_or_default())
}

fn parse_with(text: &str, services: impl FnOnce() -> String) -> Result<Range, String> {
    if let Some(range) = range(text, u16::MAX.into()) {
        return Ok(range);
    }
    match service(text, &services()) {
        Some(port) => Ok([port.into(); 2]),
        None => Err(format!("is no port; write 53, 8000-8100, or a name from {SERVICES}")),
    }
}

/// The port of a service: `http 80/tcp www # WorldWideWeb`.
fn service(name: &str, services: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (first, port) = (words.next()?, words.next()?);
        let is_named = first == name || words.any(|alias| alias == name);
        is_named.then(|| port.split_once('/')?.0.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# comment http 1/tcp
domain\t53/tcp
domain\t53/udp
http 80/tcp www # WorldWideWeb
http-alt 8080/tcp webcache
broken
";

    fn port(text: &str) -> Result<Range, String> {
        parse_with(text, || TEXT.to_owned())
    }

    #[test]
    fn ports_are_numbers_ranges_or_names() {
        for (text, expected) in [
            ("0", [0, 0]),
            ("8000-8100", [8000, 8100]),
            ("domain", [53, 53]),
            ("www", [80, 80]),
            ("http-alt", [8080, 8080]),
        ] {
            assert_eq!(port(text), Ok(expected), "{text}");
        }
        for text in ["65536", "8100-8000", "-1", "gopher", "broken", "WorldWideWeb", "comment"] {
            assert!(port(text).expect_err(text).starts_with("is no port; write"), "{text}");
        }
    }
}
