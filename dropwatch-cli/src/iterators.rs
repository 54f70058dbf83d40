//! The BPF iterators: they tell which processes there are, and which sockets these have open.
//! Any user's processes can be seen, for which `/proc` asks for more capabilities.

use std::{cell::RefCell, io::Read, rc::Rc, time::Instant};

use anyhow::{Context, Result, ensure};
use aya::{Ebpf, programs::Iter};
use dropwatch_common::owner::{Process, SocketOwner};
use log::debug;

use crate::{
    kernel::layout::Iterators as Ids,
    stand_in_btf::{self, Kind},
};

/// The programs' names, and what they iterate over.
const SOCKET_OWNERS: (&str, &str) = ("socket_owners", "task_file");
const PROCESSES: (&str, &str) = ("processes", "task");
/// As much as the kernel writes at once.
const BUFFER_SIZE: usize = 32 << 10;

/// The iterators, loaded.
///
/// A new one is made each time, of which the kernel asks for CAP_BPF at most. It shows what there
/// is in the reader's process namespace, with the process ids of the first one.
pub struct Iterators {
    ebpf: Rc<RefCell<Ebpf>>,
}

impl Iterators {
    /// Loads them; none where the kernel refuses them.
    pub(crate) fn load(ebpf: Rc<RefCell<Ebpf>>, ids: Ids) -> Option<Self> {
        let begin = Instant::now();
        let load_both = |ebpf: &mut Ebpf| {
            load(ebpf, SOCKET_OWNERS, ids.task_file)?;
            load(ebpf, PROCESSES, ids.task)
        };
        let loaded = load_both(&mut ebpf.borrow_mut());
        match loaded {
            Ok(()) => {
                debug!("iterators loaded in {:?}", begin.elapsed());
                Some(Self { ebpf })
            }
            Err(error) => {
                debug!("no iterators, so owners of sockets are unknown: {error:#}");
                None
            }
        }
    }

    /// Gives each socket that a process has open, as often as processes have it open.
    ///
    /// # Errors
    /// When the kernel does not iterate.
    pub fn each_socket_owner(&mut self, each: impl FnMut(SocketOwner)) -> Result<()> {
        self.each(
            SOCKET_OWNERS,
            |bytes| {
                // SAFETY: there are as many bytes as the struct has, read without asking for
                // alignment, and any bits make a valid struct of integers.
                unsafe { bytes.as_ptr().cast::<SocketOwner>().read_unaligned() }
            },
            each,
        )
    }

    /// Gives each process.
    ///
    /// # Errors
    /// When the kernel does not iterate.
    pub fn each_process(&mut self, each: impl FnMut(Process)) -> Result<()> {
        self.each(
            PROCESSES,
            |bytes| {
                // SAFETY: as above.
                unsafe { bytes.as_ptr().cast::<Process>().read_unaligned() }
            },
            each,
        )
    }

    /// Each socket that a process has open, as often as processes have it open.
    ///
    /// # Errors
    /// When the kernel does not iterate.
    pub fn socket_owners(&mut self) -> Result<Vec<SocketOwner>> {
        let mut owners = Vec::new();
        self.each_socket_owner(|owner| owners.push(owner))?;
        Ok(owners)
    }

    /// Each process.
    ///
    /// # Errors
    /// When the kernel does not iterate.
    pub fn processes(&mut self) -> Result<Vec<Process>> {
        let mut processes = Vec::new();
        self.each_process(|process| processes.push(process))?;
        Ok(processes)
    }

    /// `decode` is given exactly as many bytes as a `T` has.
    fn each<T>(
        &mut self,
        program: (&str, &str),
        decode: impl Fn(&[u8]) -> T,
        mut each: impl FnMut(T),
    ) -> Result<()> {
        let begin = Instant::now();
        let mut file = {
            let mut ebpf = self.ebpf.borrow_mut();
            let program = find(&mut ebpf, program.0)?;
            let link = program.attach()?;
            program.take_link(link)?.into_file()?
        };
        let mut count = 0;
        read_records(&mut file, size_of::<T>(), |bytes| {
            count += 1;
            each(decode(bytes));
        })
        .with_context(|| format!("cannot read the iterator {}", program.0))?;
        debug!("{}: {count} in {:?}", program.0, begin.elapsed());
        Ok(())
    }
}

/// Reads records of this size to the end. They need not end where a read ends.
fn read_records(source: &mut impl Read, size: usize, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut filled = 0;
    loop {
        let read = match source.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if read == 0 {
            ensure!(filled == 0, "{filled} bytes of a record are left");
            return Ok(());
        }
        filled += read;
        let whole = filled - filled % size;
        buffer[..whole].chunks_exact(size).for_each(&mut each);
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn load(ebpf: &mut Ebpf, (program, iterated): (&str, &str), id: u32) -> Result<()> {
    let btf = stand_in_btf::with(Kind::Function, &format!("bpf_iter_{iterated}"), id)?;
    find(ebpf, program)?.load(iterated, &btf).with_context(|| format!("cannot load {program}"))
}

fn find<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Iter> {
    let program =
        ebpf.program_mut(name).with_context(|| format!("the BPF object has no program {name}"))?;
    Ok(program.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at once.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = self.1.min(self.0.len()).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    #[test]
    fn records_may_be_split_anywhere() -> Result<()> {
        let bytes: Vec<u8> = (0..=239).cycle().take(240 * 400).collect();
        for piece in [1, 23, 24, 25, 4096, usize::MAX] {
            let mut records = Vec::new();
            read_records(&mut Pieces(&bytes, piece), 24, |record| records.push(record.to_vec()))?;
            assert_eq!(records.len(), bytes.len() / 24, "in pieces of {piece}");
            assert_eq!(records.concat(), bytes, "in pieces of {piece}");
        }
        Ok(())
    }

    #[test]
    fn half_a_record_is_an_error() {
        let mut records = 0;
        assert!(read_records(&mut Pieces(&[0; 40], 7), 24, |_| records += 1).is_err());
        assert_eq!(records, 1);
    }
}
