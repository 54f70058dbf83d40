//! Bytes in hexadecimal.

/// Writes the bytes that the text stands for to the begin of `out`, and gives how many there
/// are. None where the text stands for none, or for more than there is room for.
pub fn decode(text: &str, out: &mut [u8]) -> Option<usize> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > out.len() {
        return None;
    }
    for (place, [high, low]) in out.iter_mut().zip(pairs) {
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    Some(pairs.len())
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_digits_are_bytes() {
        let mut out = [9; 3];
        assert_eq!((decode("00fF", &mut out), out), (Some(2), [0, 255, 9]));
        assert_eq!(decode("", &mut out), Some(0));
        for text in ["0", "0g", "+1", "00000000", "é", "0x"] {
            assert_eq!(decode(text, &mut out), None, "{text}");
        }
    }
}
