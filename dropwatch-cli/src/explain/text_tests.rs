use super::*;
use crate::{
    explain::{Entries, lookup::lookup},
    kernel::reasons::Reasons,
};

fn kernel(names: &[(u32, &str)]) -> Kernel {
    let names: Vec<_> = names.iter().map(|(raw, name)| (*raw, (*name).to_owned())).collect();
    Kernel { name: "this kernel (9.9)".to_owned(), reasons: Ok(Reasons::of_trace_event(&names)) }
}

fn explain(args: &[&str], kernel: &Kernel) -> Result<String, String> {
    let entries = Entries::load().expect("the data");
    let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
    lookup(&args, &entries, kernel)
        .map(|explained| text(&explained, kernel, &Style::new(80, false)))
        .map_err(|error| error.to_string())
}

#[test]
fn all_of_them_fit_the_terminal() {
    let entries = Entries::load().expect("the data");
    let kernel = kernel(&[]);
    let explained = lookup(&["*".to_owned()], &entries, &kernel).expect("all");
    assert_eq!(explained.len(), entries.iter().count());
    for width in [60, 80, 100] {
        for it in &explained {
            let commands = &it.entry.expect("an entry").check;
            for line in one(it, &kernel, &Style::new(width, false)).lines() {
                let fits = line.chars().count() <= width;
                let is_command = || commands.iter().any(|command| line.ends_with(command.as_str()));
                // Labels are no wider than their column, so a word stands behind that.
                let is_word = || {
                    let rest: String = line.chars().skip(LABEL).collect();
                    rest.split_whitespace().count() == 1 || rest.matches('`').count() == 2
                };
                assert!(fits || is_command() || is_word(), "{}: {line}", it.name);
                assert_eq!(line, line.trim_end(), "{}", it.name);
            }
        }
    }
}

#[test]
fn a_reason_is_found_however_it_is_written() {
    let kernel = kernel(&[(3, "NO_SOCKET"), (9, "NO_SOCK_AT_ALL")]);
    let expected = explain(&["NO_SOCKET"], &kernel).expect("a reason");
    assert!(expected.starts_with("NO_SOCKET\n"), "{expected}");
    assert!(expected.contains("this kernel (9.9) has it as number 3"), "{expected}");
    for same in
        ["no_socket", "SKB_DROP_REASON_NO_SOCKET", "core/NO_SOCKET", "3", "0x3", "NO_SOCKE?"]
    {
        assert_eq!(explain(&[same], &kernel).as_ref(), Ok(&expected), "{same}");
    }
    for same in [&["NO_SOCKET", "3"][..], &["NO_SOCKET,no_socket"], &["NO_SOCK*", "!*_ALL"]] {
        assert_eq!(explain(same, &kernel).as_ref(), Ok(&expected), "{same:?}");
    }
}

#[test]
fn what_other_kernels_have_is_explained_too() {
    let text = explain(&["QDISC_DROP_OVERLIMIT"], &kernel(&[(3, "NO_SOCKET")])).expect("known");
    assert!(text.starts_with("QDISC_DROP_OVERLIMIT (qdisc)\n"), "{text}");
    assert!(text.contains("this kernel (9.9) does not have it"), "{text}");
}

#[test]
fn a_reason_without_an_entry_says_so() {
    let text = explain(&["BRAND_NEW"], &kernel(&[(200, "BRAND_NEW")])).expect("of the kernel");
    assert!(text.contains("does not know what BRAND_NEW means"), "{text}");
    assert!(text.contains("number 200"), "{text}");
    assert!(!text.contains("harmless"), "{text}");
}

#[test]
fn without_a_kernel_meanings_are_known_and_numbers_are_not() {
    let kernel = Kernel { name: "this kernel".to_owned(), reasons: Err("no BTF".to_owned()) };
    let text = explain(&["NO_SOCKET"], &kernel).expect("known");
    assert!(text.contains("is not known") && text.contains("could not be read: no BTF"), "{text}");
    let error = explain(&["3"], &kernel).expect_err("a number");
    assert!(error.contains("differs from kernel to kernel") && error.contains("--btf"), "{error}");
}

#[test]
fn mistakes_are_told() {
    let kernel = kernel(&[(3, "NO_SOCKET")]);
    for (wrong, words) in [
        ("NO_SOKET", "did you mean NO_SOCKET"),
        ("XYZZY*", "is no drop reason"),
        ("77", "no drop reason 77;"),
        ("openvswitch/3", "no drop reason openvswitch/3"),
        ("", "empty item"),
        ("NO_SOCKET,", "empty item"),
        ("3,!3", "excludes everything"),
    ] {
        let error = explain(&[wrong], &kernel).expect_err(wrong);
        assert!(error.contains(words), "{wrong}: {error}");
    }
}
