//! Folders of ordinary files stand for those of namespaces: they have inode numbers too.

use std::{cell::RefCell, env, process};

use super::*;
use crate::world::pace::TestClock;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("dropwatch-netns-{}-{test}", process::id()));
        for folder in ["names", "docker", "proc"] {
            fs::create_dir_all(path.join(folder)).expect("a folder");
        }
        Self(path)
    }

    /// A new namespace of this name.
    fn add(&self, name: &str) -> u32 {
        let path = self.0.join(name);
        fs::write(&path, "").expect("a file");
        inode(&path).expect("its inode")
    }

    fn cgroup(&self, pid: u32, path: &str) {
        let folder = self.0.join("proc").join(pid.to_string());
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("cgroup"), format!("0::{path}\n")).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Processes = Rc<RefCell<(Vec<Process>, u32)>>;

fn setup(folder: &Folder, clock: &TestClock) -> (Namespaces, Processes) {
    let processes = Processes::default();
    let (shared, passing) = (Rc::clone(&processes), clock.clone());
    let scan: Scan = Box::new(move |each| {
        shared.borrow_mut().1 += 1;
        passing.pass(1);
        shared.borrow().0.iter().for_each(|&process| each(process));
        Ok(())
    });
    let sources = Sources {
        names: folder.0.join("names"),
        fallback_names: folder.0.join("docker"),
        device: None,
        proc: Some(folder.0.join("proc")),
        host: None,
        own: Some(7),
        scan: Some(scan),
    };
    (Namespaces::new(sources, clock.now()), processes)
}

fn of(tgid: u32, netns: u32) -> Process {
    Process { tgid, netns, comm: *b"python3\0\0\0\0\0\0\0\0\0" }
}

fn text(namespaces: &mut Namespaces, inum: u32) -> String {
    namespaces.name(inum).to_string()
}

#[test]
fn the_best_name_counts() {
    let (folder, clock) = (Folder::new("best"), TestClock::new());
    let (mut namespaces, processes) = setup(&folder, &clock);
    let blue = folder.add("names/blue");
    let (sandbox, ingress) = (folder.add("docker/0a1b2c"), folder.add("docker/ingress_sbox"));
    processes.borrow_mut().0 =
        vec![of(1, 5), of(4300, 8), of(4242, 8), of(50, blue), of(60, sandbox), of(70, 0)];
    folder.cgroup(60, &format!("/docker/{}", "0123456789abcdef".repeat(4)));
    folder.cgroup(4242, "/user.slice");
    assert_eq!(text(&mut namespaces, 5), "host");
    assert_eq!(text(&mut namespaces, blue), "blue");
    assert_eq!(text(&mut namespaces, 8), "python3[4242]");
    assert_eq!(text(&mut namespaces, sandbox), "docker:0123456789ab");
    assert_eq!(text(&mut namespaces, ingress), "ingress_sbox");
    assert_eq!(text(&mut namespaces, 9), "net:[9]");
    assert_eq!((namespaces.process_in(8), namespaces.process_in(9)), (Some(4242), None));
    assert!(namespaces.is_in(4300, 8) && !namespaces.is_in(4300, 5));
}

#[test]
fn without_the_first_process_the_own_namespace_is_the_host() {
    let (folder, clock) = (Folder::new("own"), TestClock::new());
    let (mut namespaces, _) = setup(&folder, &clock);
    assert_eq!(*namespaces.name(7), NetnsName::Host);
    namespaces.sources.as_mut().expect("sources").host = Some(6);
    clock.pass(10_000);
    assert_eq!(*namespaces.name(7), NetnsName::Unknown(7));
    assert_eq!(*namespaces.name(6), NetnsName::Host);
}

#[test]
fn a_new_name_is_found_soon() {
    let (folder, clock) = (Folder::new("new"), TestClock::new());
    let (mut namespaces, _) = setup(&folder, &clock);
    text(&mut namespaces, 3);
    let red = folder.add("names/red");
    assert_eq!(text(&mut namespaces, red), format!("net:[{red}]"), "it was just read");
    clock.pass(50);
    assert_eq!(text(&mut namespaces, red), "red");
}

#[test]
fn names_expire() {
    let (folder, clock) = (Folder::new("expire"), TestClock::new());
    let (mut namespaces, _) = setup(&folder, &clock);
    let red = folder.add("names/red");
    assert_eq!(text(&mut namespaces, red), "red");
    fs::rename(folder.0.join("names/red"), folder.0.join("names/green")).expect("renamed");
    assert_eq!(text(&mut namespaces, red), "red");
    clock.pass(5_000);
    assert_eq!(text(&mut namespaces, red), "green");
}

#[test]
fn what_is_unknown_is_looked_up_once_a_second() {
    let (folder, clock) = (Folder::new("unknown"), TestClock::new());
    let (mut namespaces, processes) = setup(&folder, &clock);
    for _ in 0..1_000 {
        assert_eq!(*namespaces.name(9), NetnsName::Unknown(9));
        clock.pass(10);
    }
    assert!((9..=11).contains(&processes.borrow().1), "{}", processes.borrow().1);
}

#[test]
fn files_that_are_no_namespaces_have_no_names() {
    let folder = Folder::new("device");
    let blue = folder.add("names/blue");
    let device = fs::metadata(&folder.0).expect("a folder").dev();
    assert_eq!(names(&folder.0.join("names"), Some(device)).len(), 1);
    assert!(!names(&folder.0.join("names"), Some(device + 1)).contains_key(&blue));
}

#[test]
fn names_are_escaped() {
    assert_eq!(NetnsName::Named(b"a\x1b\xff".to_vec()).to_string(), "a\\u{1b}\\xff");
}

#[test]
fn fixed_ones_do_not_change() {
    let blue = NetnsName::Named(b"blue".to_vec());
    let mut namespaces = Namespaces::fixed([(1, blue.clone())], TestClock::new().now());
    assert_eq!(*namespaces.name(1), blue);
    assert_eq!(*namespaces.name(2), NetnsName::Unknown(2));
    assert_eq!(namespaces.process_in(1), None);
}
