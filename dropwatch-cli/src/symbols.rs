//! From kernel addresses to functions: the one place that decides where a symbol comes from.
//!
//! Reading the kernel's 100,000 symbols takes about as long as all the rest of the start, so a
//! thread does it while drops are already being recorded. What was found is kept by address.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use blazesym::{
    MaybeDefault,
    symbolize::{
        CodeInfo, Input, Sym, Symbolizer,
        source::{Kernel, Source as SymbolSource},
    },
};
use foldhash::fast::RandomState;
use log::debug;

use crate::kernel::modules::Modules;

/// How often it is looked whether modules came or went.
const MODULES_INTERVAL: Duration = Duration::from_secs(1);
/// No function is as long. An address so far behind a symbol belongs to something that the
/// symbols do not have.
const MAX_OFFSET: usize = 1 << 20;

/// An address in the kernel's code and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The return address.
    pub address: u64,
    /// The function it returns to, where that is known.
    pub symbol: Option<Symbol>,
}

/// A function, and a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The function's name.
    pub name: String,
    /// Bytes from its begin to the return address.
    pub offset: usize,
    /// The module it is in; none for the kernel itself.
    pub module: Option<String>,
    /// Where the call is in the source; only with debug information.
    pub source: Option<SourceLine>,
    /// Functions inlined at the call, outermost first; only with debug information.
    pub inlined: Vec<Inlined>,
}

/// A function that was inlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inlined {
    /// The function's name.
    pub name: String,
    /// The place in it.
    pub source: Option<SourceLine>,
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// Path of the file, as the compiler was given it.
    pub file: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u32>,
}

/// Finds symbols, and keeps what it found.
pub struct Symbols {
    worker: Option<Worker>,
    cache: HashMap<u64, Rc<Frame>, RandomState>,
    edition: u64,
    modules: Modules,
    modules_read: Instant,
}

impl Symbols {
    /// Begins to read the running kernel's symbols; with its debug information if wanted and
    /// there is any.
    pub fn of_running_kernel(debug_info: bool) -> Self {
        Self::new(Worker::start(debug_info))
    }

    /// Knows no symbols: for where the kernel hides its addresses.
    pub fn none() -> Self {
        Self::new(None)
    }

    /// Knows these frames and no others.
    pub fn of_frames(frames: impl IntoIterator<Item = Frame>) -> Self {
        let mut symbols = Self::none();
        symbols.cache = frames.into_iter().map(|frame| (frame.address, Rc::new(frame))).collect();
        symbols
    }

    /// From now on this is what is known of the frame's address.
    pub fn learn(&mut self, frame: Frame) {
        if self.cache.get(&frame.address).is_none_or(|known| **known != frame) {
            self.cache.insert(frame.address, Rc::new(frame));
            self.edition += 1;
        }
    }

    fn new(worker: Option<Worker>) -> Self {
        Self {
            worker,
            cache: HashMap::default(),
            edition: 0,
            modules: Modules::loaded(),
            modules_read: Instant::now(),
        }
    }

    /// Whether [`Symbols::frame`] has an answer at once, since the symbols have been read.
    pub fn is_ready(&self) -> bool {
        self.worker.as_ref().is_none_or(|worker| worker.loaded.load(Ordering::Acquire))
    }

    /// What is known of a return address.
    pub fn frame(&mut self, address: u64) -> Rc<Frame> {
        if let Some(frame) = self.cache.get(&address) {
            return Rc::clone(frame);
        }
        self.follow_modules();
        let frame = Rc::new(Frame { address, symbol: self.resolve(address) });
        self.cache.insert(address, Rc::clone(&frame));
        frame
    }

    /// A number that is another one when what was known of an address may no longer be true.
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// To be called now and then: forgets what may no longer be true, since modules came or
    /// went and others may lie at their addresses.
    pub fn tick(&mut self) {
        if !self.cache.is_empty() && self.modules_read.elapsed() >= MODULES_INTERVAL {
            self.follow_modules();
        }
    }

    fn follow_modules(&mut self) {
        self.modules_read = Instant::now();
        let modules = Modules::loaded();
        if modules != self.modules {
            self.modules = modules;
            self.cache.clear();
            self.edition += 1;
            if let Some(worker) = &self.worker {
                worker.reload();
            }
        }
    }

    fn resolve(&self, address: u64) -> Option<Symbol> {
        // A return address is that of the next instruction, which may already be another line
        // or, after a call that never returns, another function.
        let call = address.checked_sub(1)?;
        let mut symbol = self.worker.as_ref()?.resolve(call)?;
        symbol.offset += 1;
        symbol.module = if is_bpf(&symbol.name) {
            Some("bpf".to_owned())
        } else {
            let module = self.modules.containing(call).map(str::to_owned);
            if module.is_none() && self.modules.are_around(call) {
                // The symbol before is another module's last one.
                return None;
            }
            module
        };
        Some(symbol)
    }
}

/// BPF programs are among the kernel's symbols, and come and go at any time.
fn is_bpf(name: &str) -> bool {
    ["bpf_prog_", "bpf_trampoline_", "bpf_dispatcher_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The thread that holds the symbols.
struct Worker {
    requests: Sender<Request>,
    answers: Receiver<Option<Symbol>>,
    loaded: Arc<AtomicBool>,
}

enum Request {
    Resolve(u64),
    Reload,
}

impl Worker {
    fn start(debug_info: bool) -> Option<Self> {
        let (requests, incoming) = channel();
        let (outgoing, answers) = channel();
        let loaded = Arc::new(AtomicBool::new(false));
        let has_loaded = Arc::clone(&loaded);
        let thread = thread::Builder::new().name("symbols".to_owned()).spawn(move || {
            let mut resolver = Resolver::load(debug_info);
            has_loaded.store(true, Ordering::Release);
            for request in incoming {
                match request {
                    Request::Reload => {
                        resolver = Resolver::load(debug_info);
                        has_loaded.store(true, Ordering::Release);
                    }
                    Request::Resolve(address) => {
                        let mut found = resolver.resolve(address);
                        if found.as_ref().is_some_and(|symbol| is_bpf(&symbol.name))
                            && resolver.is_old()
                        {
                            resolver = Resolver::load(debug_info);
                            found = resolver.resolve(address);
                        }
                        // The other side ends only with the program.
                        let _ = outgoing.send(found);
                    }
                }
            }
        });
        match thread {
            Ok(_) => Some(Self { requests, answers, loaded }),
            Err(error) => {
                debug!("cannot start a thread for symbols: {error}");
                None
            }
        }
    }

    fn resolve(&self, address: u64) -> Option<Symbol> {
        self.requests.send(Request::Resolve(address)).ok()?;
        self.answers.recv().ok()?
    }

    fn reload(&self) {
        self.loaded.store(false, Ordering::Release);
        // The thread ends only with this sender.
        let _ = self.requests.send(Request::Reload);
    }
}

struct Resolver {
    symbolizer: Symbolizer,
    /// In the order in which they are asked.
    sources: Vec<SymbolSource<'static>>,
    loaded: Instant,
}

impl Resolver {
    fn load(debug_info: bool) -> Self {
        let kallsyms =
            Kernel { vmlinux: MaybeDefault::None, debug_syms: false, ..Kernel::default() };
        let mut sources = vec![SymbolSource::Kernel(kallsyms)];
        if debug_info {
            sources.insert(0, SymbolSource::Kernel(Kernel::default()));
        }
        let resolver = Self { symbolizer: Symbolizer::new(), sources, loaded: Instant::now() };
        // The first question makes the symbolizer read its sources. The address is of no matter.
        resolver.resolve(u64::MAX / 2);
        resolver
    }

    fn is_old(&self) -> bool {
        self.loaded.elapsed() >= MODULES_INTERVAL
    }

    fn resolve(&self, address: u64) -> Option<Symbol> {
        self.sources.iter().find_map(|source| {
            match self.symbolizer.symbolize_single(source, Input::AbsAddr(address)) {
                Ok(found) => found.into_sym().filter(|found| found.offset < MAX_OFFSET).map(symbol),
                Err(error) => {
                    debug!("no symbol for {address:#x}: {error}");
                    None
                }
            }
        })
    }
}

fn symbol(found: Sym<'_>) -> Symbol {
    let inlined = found.inlined.iter().map(|inlined| Inlined {
        name: inlined.name.to_string(),
        source: inlined.code_info.as_ref().map(source_line),
    });
    Symbol {
        name: found.name.to_string(),
        offset: found.offset,
        module: None,
        source: found.code_info.as_deref().map(source_line),
        inlined: inlined.collect(),
    }
}

fn source_line(code: &CodeInfo<'_>) -> SourceLine {
    SourceLine { file: code.to_path().display().to_string(), line: code.line }
}
