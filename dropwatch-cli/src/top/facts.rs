//! What the heading of the view says of this run.

use crate::cli::FilterArgs;

/// The filters as they were given, on one line. Empty where there are none.
pub fn filters(args: &FilterArgs) -> String {
    // Taken apart, so that none can be forgotten.
    let FilterArgs {
        reason,
        protocol,
        interface,
        netns,
        pid,
        comm,
        function,
        src,
        dst,
        host,
        sport,
        dport,
        port,
        l4,
        min_len,
        max_len,
        sample,
        rate_limit,
    } = args;
    let lists = [
        ("reason", reason),
        ("protocol", protocol),
        ("interface", interface),
        ("netns", netns),
        ("pid", pid),
        ("comm", comm),
        ("function", function),
        ("src", src),
        ("dst", dst),
        ("host", host),
        ("sport", sport),
        ("dport", dport),
        ("port", port),
        ("l4", l4),
    ];
    let lists = lists.into_iter().filter(|(_, values)| !values.is_empty());
    let lists = lists.map(|(name, values)| format!("--{name} {}", values.join(",")));
    let numbers = [
        ("min-len", min_len.map(|len| len.to_string())),
        ("max-len", max_len.map(|len| len.to_string())),
        ("sample", sample.clone()),
        ("rate-limit", rate_limit.clone()),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let numbers = numbers.map(|(name, value)| format!("--{name} {value}"));
    lists.chain(numbers).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filters: FilterArgs,
    }

    #[test]
    fn filters_are_shown_as_they_were_given() {
        let given = |words: &[&str]| {
            let words = ["dropwatch"].iter().chain(words);
            filters(&Line::try_parse_from(words).expect("arguments").filters)
        };
        assert_eq!(given(&[]), "");
        assert_eq!(
            given(&["--l4", "udp", "-r", "TCP_*", "-r", "!TCP_RESET", "--min-len=9"]),
            "--reason TCP_*,!TCP_RESET --l4 udp --min-len 9"
        );
        assert_eq!(given(&["--sample", "1/10"]), "--sample 1/10");
    }
}
