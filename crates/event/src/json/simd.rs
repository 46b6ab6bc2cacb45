//! Byte classification, 32 and 64 bytes at a time, and the choice of the instruction set at run time. All of the
//! crate's `unsafe` is here.
//!
//! A walker over JSON is generic over a [`Kernel`]. It is handed to [`dispatch`] as [`Work`], which inlines the whole
//! walker into one function compiled for the better instruction set: intrinsics called across that border would be
//! calls and not instructions.

/// Which of 64 bytes are what; bit 0 is the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(crate) quote: u64,
    pub(crate) backslash: u64,
    /// `{` and `[`.
    pub(crate) open: u64,
    /// `}` and `]`.
    pub(crate) close: u64,
}

/// Classifies bytes.
pub(crate) trait Kernel: Copy {
    /// Bits of `"` and `\` in 32 bytes.
    fn string_stops(self, block: &[u8; 32]) -> u32;
    /// The bits that the structure of JSON needs, of 64 bytes.
    fn masks(self, block: &[u8; 64]) -> Masks;
}

/// Something to run with the best kernel of this machine. `run` must be `#[inline(always)]`.
pub(crate) trait Work {
    /// What it gives.
    type Output;
    /// Does it.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// Runs `work` with the best kernel of this machine.
#[inline]
pub(crate) fn dispatch<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = x86::Avx2::detect() {
        return x86::run(work, kernel);
    }
    work.run(Portable)
}

/// Eight bytes at a time, in plain integers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte of `word` that equals `byte`.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * u64::from(byte));
    !(((difference & LOW_BITS) + LOW_BITS) | difference | LOW_BITS)
}

/// The high bits of the eight bytes as the low eight bits.
#[inline(always)]
fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
fn word(bytes: &[u8], index: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
    u64::from_le_bytes(eight)
}

impl Kernel for Portable {
    #[inline(always)]
    fn string_stops(self, block: &[u8; 32]) -> u32 {
        let mut stops = 0;
        for index in 0..4 {
            let word = word(block, index);
            stops |= (gather(equal(word, b'"') | equal(word, b'\\')) as u32) << (index * 8);
        }
        stops
    }

    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        let mut masks = Masks { quote: 0, backslash: 0, open: 0, close: 0 };
        for index in 0..8 {
            let word = word(block, index);
            // `[` and `{` part in one bit, as do `]` and `}`.
            let folded = word | (ONES * 0x20);
            let shift = index * 8;
            masks.quote |= gather(equal(word, b'"')) << shift;
            masks.backslash |= gather(equal(word, b'\\')) << shift;
            masks.open |= gather(equal(folded, b'{')) << shift;
            masks.close |= gather(equal(folded, b'}')) << shift;
        }
        masks
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    };

    use super::{Kernel, Masks, Work};

    /// Proof that the machine has AVX2 and the bit instructions that [`run`] is compiled for.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Avx2 {
        _only_from_detect: (),
    }

    impl Avx2 {
        #[inline]
        pub(super) fn detect() -> Option<Avx2> {
            let found = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            found.then_some(Avx2 { _only_from_detect: () })
        }
    }

    #[inline]
    pub(super) fn run<W: Work>(work: W, kernel: Avx2) -> W::Output {
        // SAFETY: an `Avx2` is made only where all features of `run_featured` were detected.
        unsafe { run_featured(work, kernel) }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn run_featured<W: Work>(work: W, kernel: Avx2) -> W::Output {
        work.run(kernel)
    }

    #[inline(always)]
    fn load(block: &[u8; 32]) -> __m256i {
        // SAFETY: 32 bytes are readable behind the reference, the load asks for no alignment, and callers hold an
        // `Avx2`, so the instruction exists.
        unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
    }

    #[inline(always)]
    fn stops(block: &[u8; 32]) -> u32 {
        let bytes = load(block);
        // SAFETY: only registers are touched, and callers hold an `Avx2`.
        unsafe {
            let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
            let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
            _mm256_movemask_epi8(_mm256_or_si256(quote, backslash)) as u32
        }
    }

    /// The bits of quote, backslash, opening and closing bracket.
    #[inline(always)]
    fn half(block: &[u8; 32]) -> [u32; 4] {
        let bytes = load(block);
        // SAFETY: only registers are touched, and callers hold an `Avx2`.
        unsafe {
            let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
            [
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8))) as u32,
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8))) as u32,
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8(b'{' as i8))) as u32,
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8(b'}' as i8))) as u32,
            ]
        }
    }

    impl Kernel for Avx2 {
        #[inline(always)]
        fn string_stops(self, block: &[u8; 32]) -> u32 {
            stops(block)
        }

        #[inline(always)]
        fn masks(self, block: &[u8; 64]) -> Masks {
            let (halves, _) = block.as_chunks::<32>();
            let (low, high) = (half(&halves[0]), half(&halves[1]));
            let join = |index: usize| u64::from(low[index]) | (u64::from(high[index]) << 32);
            Masks { quote: join(0), backslash: join(1), open: join(2), close: join(3) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Classify<'a>(&'a [u8; 64]);

    impl Work for Classify<'_> {
        type Output = (Masks, u32);

        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> (Masks, u32) {
            let (halves, _) = self.0.as_chunks::<32>();
            (kernel.masks(self.0), kernel.string_stops(&halves[0]))
        }
    }

    #[test]
    fn kernels_agree_with_the_definition_on_every_byte_at_every_place() {
        for byte in 0..=255u8 {
            for place in 0..64 {
                let mut block = [b'a'; 64];
                block[place] = byte;
                let bit = |is: bool| if is { 1u64 << place } else { 0 };
                let expected = Masks {
                    quote: bit(byte == b'"'),
                    backslash: bit(byte == b'\\'),
                    open: bit(byte == b'{' || byte == b'['),
                    close: bit(byte == b'}' || byte == b']'),
                };
                let stops = (expected.quote | expected.backslash) as u32;
                assert_eq!(Classify(&block).run(Portable), (expected, stops), "byte {byte} at {place}");
                assert_eq!(dispatch(Classify(&block)), (expected, stops), "byte {byte} at {place}");
            }
        }
    }
}
