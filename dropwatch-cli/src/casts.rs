//! Putting the call of the kernel function that casts addresses into the BPF object.
//!
//! aya links calls of the object's own functions only. A call of the kernel's names it by its BTF
//! id, which is another one on each kernel.

use dropwatch_common::config::CAST_MARK;

/// An instruction: operation, registers (the destination in the lower half), offset, immediate.
const INSTRUCTION_SIZE: usize = 8;
const CALL: u8 = 0x85;
/// In place of the source register: the immediate is a function of the kernel.
const KERNEL_FUNCTION: u8 = 2 << 4;
/// Sets the first register, to the immediate.
const MOVE: u8 = 0xb7;

/// The object, with calls of the function that has this BTF id. Without one there is nothing to be
/// called, in a part of the program that the verifier does not come to then.
pub fn link(object: &[u8], function: Option<u32>) -> Vec<u8> {
    let marked = instruction(CALL, 0, CAST_MARK as u32);
    let linked = match function {
        Some(id) => instruction(CALL, KERNEL_FUNCTION, id),
        None => instruction(MOVE, 0, 0),
    };
    let mut object = object.to_vec();
    let (instructions, _) = object.as_chunks_mut::<INSTRUCTION_SIZE>();
    for each in instructions.iter_mut().filter(|each| **each == marked) {
        *each = linked;
    }
    object
}

fn instruction(operation: u8, registers: u8, immediate: u32) -> [u8; INSTRUCTION_SIZE] {
    let [a, b, c, d] = immediate.to_ne_bytes();
    [operation, registers, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [u8; INSTRUCTION_SIZE] = [0; INSTRUCTION_SIZE];

    fn object() -> Vec<u8> {
        [instruction(CALL, 0, 1), instruction(CALL, 0, CAST_MARK as u32), NOTHING].concat()
    }

    #[test]
    fn marked_calls_become_those_of_the_kernel() {
        let linked = [instruction(CALL, 0, 1), [0x85, 0x20, 0, 0, 0x34, 0x12, 0, 0], NOTHING];
        assert_eq!(link(&object(), Some(0x1234)), linked.concat());
    }

    #[test]
    fn without_a_function_nothing_is_called() {
        let linked = [instruction(CALL, 0, 1), [0xb7, 0, 0, 0, 0, 0, 0, 0], NOTHING];
        assert_eq!(link(&object(), None), linked.concat());
    }
}
