//! A drop by the trace event, as `/sys/kernel/tracing/events/skb/kfree_skb/format` lays it out,
//! where the kernel has no BTF.

use aya_ebpf::{EbpfContext, helpers::bpf_probe_read_kernel, programs::TracePointContext};
use dropwatch_common::record::{
    DropRecord, FLAG_PROTOCOL, FLAG_REASON, FLAG_RECEIVER, INTERFACE_LEN, NO_HEADER,
};

use crate::{
    btf_event::known,
    globals::{self, config},
    packet::Headers,
    socket,
    source::{Source, Whereabouts},
    task,
};

/// The trace event.
pub struct TraceEvent<'a> {
    ctx: &'a TracePointContext,
}

macro_rules! event {
    ($self:ident, $field:ident) => {
        $self.read(globals::field(config!(event.$field))?)
    };
}

impl<'a> TraceEvent<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a TracePointContext) -> Self {
        Self { ctx }
    }

    /// The socket's address is all that is known of it.
    #[inline(always)]
    fn receiver(&self) -> Option<u64> {
        event!(self, rx_sk)
    }

    #[inline(always)]
    fn try_location(&self) -> Option<u64> {
        event!(self, location)
    }

    /// A field of the event. Loads from the context itself would need offsets that are constants
    /// in the program's code.
    #[inline(always)]
    fn read<T>(&self, offset: usize) -> Option<T> {
        // SAFETY: the helper copes with any address.
        unsafe { bpf_probe_read_kernel(self.ctx.as_ptr().byte_add(offset).cast::<T>()) }.ok()
    }
}

impl Source for TraceEvent<'_> {
    #[inline(always)]
    fn reason(&self) -> Option<u32> {
        if config!(has_reason) == 0 {
            return None;
        }
        event!(self, reason)
    }

    #[inline(always)]
    fn location(&self) -> u64 {
        self.try_location().unwrap_or(0)
    }

    #[inline(always)]
    fn protocol(&self) -> Option<u16> {
        event!(self, protocol)
    }

    #[inline(always)]
    fn len(&self) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn netns(&self) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn interface_index(&self) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn interface_name(&self) -> Option<[u64; 2]> {
        None
    }

    #[inline(always)]
    fn whereabouts(&self) -> Whereabouts {
        Whereabouts { netns: None, index: None }
    }

    #[inline(always)]
    fn headers(&self) -> Headers {
        Headers::NONE
    }

    #[inline(always)]
    fn describe(&self, record: &mut DropRecord, run_queue: &mut u64) {
        let mut flags = 0;
        record.location = self.location();
        record.reason = known(self.reason(), FLAG_REASON, &mut flags);
        record.protocol = known(self.protocol(), FLAG_PROTOCOL, &mut flags);
        record.len = 0;
        record.device.name = [0; INTERFACE_LEN];
        record.device.index = 0;
        record.device.skb_iif = 0;
        record.device.netns = 0;
        record.device.kind = 0;
        record.device.reserved = 0;
        if let Some(receiver) = self.receiver() {
            socket::empty(&mut record.socket);
            record.socket.address = receiver;
            flags |= FLAG_RECEIVER;
        }
        record.packet.mac = NO_HEADER;
        record.packet.network = NO_HEADER;
        record.packet.transport = NO_HEADER;
        record.packet.len = 0;
        record.packet.linear_len = 0;
        record.packet.vlan_proto = 0;
        record.packet.vlan_tci = 0;
        record.packet.reserved = 0;
        record.flags = flags | task::describe(record, run_queue);
    }
}
