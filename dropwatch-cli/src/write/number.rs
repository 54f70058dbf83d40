//! Numbers, in tables' steps of several digits: the machinery of `format!` would take most of the
//! time.

use super::short;

/// The three digits of each number below a thousand, and how many of them are leading zeros.
const THOUSAND: [[u8; 4]; 1000] = {
    let mut table = [[0; 4]; 1000];
    let mut number = 0;
    while number < table.len() {
        let [hundreds, tens, ones] = [number / 100, number / 10 % 10, number % 10];
        let zeros = if number >= 100 {
            0
        } else if number >= 10 {
            1
        } else {
            2
        };
        table[number] = [b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8, zeros];
        number += 1;
    }
    table
};

/// The two hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    table
};

/// Appends a number.
#[inline]
pub fn decimal(out: &mut Vec<u8>, number: impl Into<u64>) {
    let number = number.into();
    if number < 1000 {
        below_thousand(out, number);
    } else if number < 1_000_000 {
        below_thousand(out, number / 1000);
        three(out, number % 1000);
    } else {
        large(out, number);
    }
}

#[inline]
fn below_thousand(out: &mut Vec<u8>, number: u64) {
    let entry = THOUSAND[number as usize];
    let zeros = entry[3];
    let digits = (u32::from_le_bytes(entry) >> (8 * u32::from(zeros))).to_le_bytes();
    short(out, &digits, usize::from(3 - zeros));
}

fn large(out: &mut Vec<u8>, number: u64) {
    if number < 1_000_000_000 {
        below_thousand(out, number / 1_000_000);
    } else {
        decimal(out, number / 1_000_000);
    }
    three(out, number / 1000 % 1000);
    three(out, number % 1000);
}

#[inline]
fn three(out: &mut Vec<u8>, number: u64) {
    short(out, &THOUSAND[number as usize], 3);
}

/// Appends three times `GROUPS` digits, the first of them zeros where the number is small. What
/// does not fit is left out.
pub fn digits<const GROUPS: u32>(out: &mut Vec<u8>, number: u64) {
    for group in (0..GROUPS).rev() {
        three(out, number / 1000_u64.pow(group) % 1000);
    }
}

/// Appends a number as `0x1f`, without leading zeros.
pub fn hex(out: &mut Vec<u8>, number: impl Into<u64>) {
    let number = number.into();
    let count = (u64::BITS - (number | 1).leading_zeros()).div_ceil(4);
    out.extend_from_slice(b"0x");
    let [a, b, c, d, e, f, g, h] = (number << (u64::BITS - 4 * count)).to_be_bytes();
    let mut digits = [0; 16];
    for (place, byte) in digits.as_chunks_mut().0.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *place = HEX[usize::from(byte)];
    }
    short(out, &digits, count as usize);
}

/// Appends two hexadecimal digits for each byte.
pub fn hex_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    const LANES: usize = 16;
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    out.reserve(2 * bytes.len());
    for chunk in chunks {
        // Without tables, so that many bytes are done at a time.
        let digit = |nibble: u8| nibble + b'0' + (b'a' - b'9' - 1) * u8::from(nibble > 9);
        let mut digits = [[0; 2]; LANES];
        for (pair, byte) in digits.iter_mut().zip(chunk) {
            *pair = [digit(byte >> 4), digit(byte & 0xf)];
        }
        out.extend_from_slice(digits.as_flattened());
    }
    for byte in rest {
        out.extend_from_slice(&pair(*byte));
    }
}

/// The two hexadecimal digits of a byte.
pub(super) fn pair(byte: u8) -> [u8; 2] {
    HEX[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut out);
        String::from_utf8(out.split_off(6)).expect("digits")
    }

    /// Numbers of all lengths, and those around each.
    fn numbers() -> impl Iterator<Item = u64> {
        let powers = (0..20).map(|power| 10_u64.saturating_pow(power));
        let twos = (0..64).map(|power| 1 << power);
        let around =
            |number: u64| (0..5).map(move |step| number.wrapping_add(step).wrapping_sub(2));
        (0..2000).chain(powers.chain(twos).flat_map(around))
    }

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        for number in numbers() {
            assert_eq!(text(|out| decimal(out, number)), number.to_string());
            assert_eq!(text(|out| hex(out, number)), format!("{number:#x}"));
            let nanos = number % 1_000_000_000;
            assert_eq!(text(|out| digits::<3>(out, number)), format!("{nanos:09}"));
        }
    }

    #[test]
    fn bytes_have_two_digits_each() {
        let bytes: Vec<_> = (0..=255).collect();
        let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text(|out| hex_bytes(out, &bytes)), expected);
        assert_eq!(text(|out| hex_bytes(out, &[])), "");
    }
}
