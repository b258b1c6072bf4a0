//! The digest that proves that strategies agree.

use xxhash_rust::xxh3::Xxh3;

/// XXH3-128 (Collet, xxHash 0.8) over, for each key in order, the key's bytes and its output's.
///
/// Not cryptographic: it tells strategies that disagree by mistake, at the speed of memory.
#[derive(Default)]
pub struct Digest(Xxh3);

impl Digest {
    /// The digest of no keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one key that came back. A failed key adds nothing, not even itself.
    pub fn add(&mut self, key: [u8; 8], output: &[u8]) {
        self.0.update(&key);
        self.0.update(output);
    }

    /// The digest so far, as 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is XXH3-128 of nothing, from xxHash's own test vectors.
    #[test]
    fn it_is_xxh3_128_of_the_bytes_in_order() {
        assert_eq!(Digest::new().hex(), "99aa06d3014798d86001c324468d497f");
        let mut split = Digest::new();
        split.add(*b"01234567", b"89");
        split.add(*b"abcdefgh", b"");
        let mut whole = Xxh3::new();
        whole.update(b"0123456789abcdefgh");
        assert_eq!(split.hex(), format!("{:032x}", whole.digest128()));
    }
}
