/// The variable with the seed of the tests that are driven by random numbers.
const SEED: &str = "SEALOCK_SEED";

/// Returns the seed in `SEALOCK_SEED`, or 0.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var(SEED);
    seed.map_or(0, |seed| seed.parse().unwrap())
}

/// A generator of pseudorandom numbers from a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}
