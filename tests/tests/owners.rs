//! Who owns a socket, and what a network namespace is called: as the library finds it out, with
//! the rights that dropwatch has by then.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use caps::{CapSet, Capability};
use clap::Parser;
use dropwatch::{
    cli::Cli,
    config::Config,
    drop::{FullSocket, Socket, SocketDetails},
    iterators::Iterators,
    kernel::Kernel,
    preflight, privileges,
    probe::Probe,
    world::{World, netns::NetnsName},
};
use dropwatch_tests::{Idle, Namespace, Veth, as_thread, need, need::skip, test_name};

const NOBODY: libc::uid_t = 65534;
/// What dropwatch needs when it does not run as root.
const NEEDED: [Capability; 3] =
    [Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_SYSLOG];

fn netns_of(process: &Idle) -> Result<u32> {
    Ok(fs::metadata(format!("/proc/{}/ns/net", process.pid()))?.ino() as u32)
}

fn sleeping() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

/// How dropwatch was started.
#[derive(Clone, Copy, Debug)]
enum Start {
    AsRoot,
    WithCapabilities,
}

/// Does something with the iterators in a thread that has given up what dropwatch gives up. Skips
/// the test on kernels that have none.
fn with_iterators(test: &str, action: impl Fn(Iterators) -> Result<()> + Sync) -> Result<()> {
    for start in [Start::AsRoot, Start::WithCapabilities] {
        let has_some = as_thread("dwt-owners", || {
            if let Start::WithCapabilities = start {
                become_nobody()?;
            }
            let mut probe = probe()?;
            let Some(iterators) = probe.iterators() else {
                ensure!(!has_iterators()?, "the kernel refused the iterators");
                return Ok(false);
            };
            privileges::drop_all_but_reading()?;
            action(iterators).with_context(|| format!("{start:?}"))?;
            Ok(true)
        })?;
        if !has_some {
            skip(test, "this kernel cannot tell a file's socket while it iterates");
            break;
        }
    }
    Ok(())
}

fn probe() -> Result<Probe> {
    let config = Config::new(&Cli::parse_from(["dropwatch", "--without-reasons"]).trace)?;
    let mut kernel = Kernel::resolve(config.without)?;
    let chosen = config.filters.resolve(&mut kernel)?;
    preflight::check()?;
    Probe::load(aya::EbpfLoader::new(), &kernel, &config, &chosen)
}

fn has_iterators() -> Result<bool> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    Ok([" bpf_iter_task_file", " bpf_sock_from_file"].iter().all(|name| symbols.contains(name)))
}

/// Makes this thread what a program is that a user starts and that has capabilities of its own.
fn become_nobody() -> Result<()> {
    // SAFETY: the calls take integers. Unlike those of the C library they are for this thread only.
    let done = unsafe {
        libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_setgroups, 0, 0) == 0
            && libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0
            && libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0
    };
    ensure!(done, "cannot become another user: {}", std::io::Error::last_os_error());
    let needed = NEEDED.into_iter().collect();
    caps::set(None, CapSet::Permitted, &needed)?;
    caps::set(None, CapSet::Effective, &needed)?;
    Ok(())
}

/// A socket as a drop tells of it.
fn socket(address: u64, inode: u64) -> Socket {
    let full = FullSocket { kind: 2, protocol: 17, uid: 0, inode: Some(inode), cgroup: None };
    let details = SocketDetails {
        family: 2,
        state: 7,
        local: None,
        remote: None,
        cookie: None,
        full: Some(full),
    };
    Socket { address, receiver: true, details: Some(details) }
}

#[test]
fn a_socket_leads_to_its_process() -> Result<()> {
    need!(Root);
    let open = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let file = OwnedFd::from(open);
    let inode =
        fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)))?.ino();
    let first = Idle::start(sleeping().stdin(Stdio::from(file.try_clone()?)))?;
    let second = Idle::start(sleeping().stdin(Stdio::from(file)))?;
    with_iterators(test_name!(), |mut iterators| {
        let all = iterators.socket_owners()?;
        let of_socket: Vec<_> = all.iter().filter(|owner| owner.inode == inode).collect();
        let pids: Vec<_> = of_socket.iter().map(|owner| owner.process.tgid).collect();
        assert_eq!(pids, [first.pid(), second.pid()]);
        let address = of_socket[0].address;
        assert!(address > u64::MAX / 2, "{address:#x}");
        assert!(of_socket.iter().all(|owner| owner.address == address));

        let mut world = World::of_running_kernel(Some(iterators));
        let owner = world.owner(&socket(address, inode)).context("no owner")?;
        assert_eq!((owner.pid, owner.comm.bytes(), owner.others), (first.pid(), &b"sleep"[..], 1));
        assert_eq!(world.owner(&socket(address + 64, inode)), None);
        assert_eq!(world.owner(&socket(address, inode + 1)), None);
        Ok(())
    })
}

#[test]
fn a_namespace_is_called_by_its_name_or_its_process() -> Result<()> {
    need!(Root, Program("ip"));
    // The namespace loses its name and stays, since a process is in it.
    let nameless = Namespace::new()?.run("dwt-nameless", || Idle::start(&mut sleeping()))?;
    let named = Namespace::new()?;
    let inum_of_named = fs::metadata(format!("/run/netns/{}", named.name()))?.ino() as u32;
    let (inum, own) = (netns_of(&nameless)?, fs::metadata("/proc/self/ns/net")?.ino() as u32);
    assert_ne!(inum, own);
    with_iterators(test_name!(), |mut iterators| {
        let processes = iterators.processes()?;
        let found = processes.iter().find(|process| process.tgid == nameless.pid());
        assert_eq!(found.context("the process is missing")?.netns, inum);

        let mut world = World::of_running_kernel(Some(iterators));
        let name = world.namespaces.name(inum);
        let NetnsName::Process { pid, comm, .. } = &*name else { panic!("it is {name:?}") };
        assert_eq!((*pid, comm.bytes()), (nameless.pid(), &b"sleep"[..]));
        assert_eq!(world.namespaces.name(inum_of_named).to_string(), named.name());
        assert_eq!(*world.namespaces.name(1), NetnsName::Unknown(1));
        let init = processes.iter().find(|process| process.tgid == 1).map(|init| init.netns);
        if init.is_none_or(|init| init == own) {
            assert_eq!(*world.namespaces.name(own), NetnsName::Host);
        }
        Ok(())
    })
}

#[test]
fn a_process_tells_the_interfaces_of_its_namespace() -> Result<()> {
    need!(Root, Program("ip"));
    let veth = Veth::new()?;
    let inside = veth.near.run("dwt-inside", || Idle::start(&mut sleeping()))?;
    let inum = netns_of(&inside)?;
    let index = veth.near.output("cat", &[format!("/sys/class/net/{}/ifindex", Veth::DEVICE)]);
    let index = match index {
        Ok(index) => index.trim().parse()?,
        // sysfs may show another namespace; the links are told in the order of their indices.
        Err(_) => {
            let links = veth.near.output("ip", &["-o", "link", "show", "dev", Veth::DEVICE])?;
            links.split(':').next().context("no index")?.parse()?
        }
    };
    with_iterators(test_name!(), |iterators| {
        let mut world = World::of_running_kernel(Some(iterators));
        let name = world.interface(Some(inum), index, None).context("no name")?;
        assert_eq!(name.bytes(), Veth::DEVICE.as_bytes());
        assert_eq!(world.interface(Some(inum), 12345, None), None);
        Ok(())
    })
}
