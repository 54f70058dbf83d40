//! What is known of the machine besides its drops: who owns sockets, and what namespaces,
//! interfaces, cgroups and users are called.
//!
//! All of it is looked up when a drop asks for it, and kept for a while. Looking up takes less
//! than a tenth of the time; what may not be looked up yet is unknown, and can be asked again.

pub mod cgroups;
pub mod container;
pub mod escape;
pub mod interfaces;
pub mod netns;
pub mod owners;
pub mod pace;
pub mod users;

use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Instant};

use cgroups::Cgroups;
use interfaces::Interfaces;
use netns::{Namespaces, NetnsName};
use owners::{Owner, Owners};
use pace::Now;
use users::Users;

use crate::{
    drop::{Drop, Name},
    iterators::Iterators,
};

/// What is known of the machine.
pub struct World {
    /// Who owns sockets.
    pub owners: Owners,
    /// What network namespaces are called.
    pub namespaces: Namespaces,
    /// What interfaces are called; see [`World::interface`].
    pub interfaces: Interfaces,
    /// What cgroups are called.
    pub cgroups: Cgroups,
    /// What users are called.
    pub users: Users,
}

/// What a world knows that does not change.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Owners by the socket's inode and its address.
    pub owners: Vec<((u64, u64), Owner)>,
    /// Network namespaces by their inode numbers.
    pub namespaces: Vec<(u32, NetnsName)>,
    /// Interfaces by network namespace and index.
    pub interfaces: Vec<((u32, u32), Name)>,
    /// Cgroups by their ids.
    pub cgroups: Vec<(u64, PathBuf)>,
    /// Users by their ids.
    pub users: Vec<(u32, Vec<u8>)>,
}

impl World {
    /// The running kernel's; without iterators nobody knows about processes. Best made while
    /// there are capabilities to look at the first process.
    pub fn of_running_kernel(iterators: Option<Iterators>) -> Self {
        let iterators = iterators.map(|iterators| Rc::new(RefCell::new(iterators)));
        let owners = match iterators.clone() {
            Some(iterators) => Owners::new(
                Box::new(move |each| iterators.borrow_mut().each_socket_owner(each)),
                now(),
            ),
            None => Owners::fixed([]),
        };
        let processes = iterators.map(|iterators| -> netns::Scan {
            Box::new(move |each| iterators.borrow_mut().each_process(each))
        });
        Self {
            owners,
            namespaces: Namespaces::new(netns::Sources::of_running_kernel(processes), now()),
            interfaces: Interfaces::new(netns::own(), now()),
            cgroups: Cgroups::of_running_kernel(now()),
            users: Users::of_machine(now()),
        }
    }

    /// Knows nothing.
    pub fn nothing() -> Self {
        Self::fixed(Facts::default())
    }

    /// Knows this and nothing else.
    pub fn fixed(facts: Facts) -> Self {
        Self {
            owners: Owners::fixed(facts.owners),
            namespaces: Namespaces::fixed(facts.namespaces, now()),
            interfaces: Interfaces::fixed(facts.interfaces),
            cgroups: Cgroups::fixed(facts.cgroups),
            users: Users::fixed(facts.users),
        }
    }

    /// Remembers what a drop tells, for others that tell less.
    pub fn learn(&mut self, drop: &Drop) {
        if let (Some(netns), Some(device)) = (drop.netns, &drop.device) {
            self.interfaces.learn(netns, device);
        }
    }

    /// The name of the interface with this index in this network namespace.
    pub fn interface(&mut self, netns: u32, index: u32) -> Option<Name> {
        let namespaces = &mut self.namespaces;
        self.interfaces.name(netns, index, || {
            let pid = namespaces.process_in(netns)?;
            let all = interfaces::of_process(pid);
            // Meanwhile it may be another process, or in another namespace.
            namespaces.is_in(pid, netns).then_some(all)
        })
    }
}

fn now() -> Now {
    Box::new(Instant::now)
}
