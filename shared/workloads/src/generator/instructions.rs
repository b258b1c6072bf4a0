//! The vector instructions that a loop may be compiled for.

/// A set of vector instructions that this processor has. All give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(pub(super) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Baseline,
}

impl InstructionSet {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return InstructionSet(Kind::Avx512);
            }
            if has_avx2() {
                return InstructionSet(Kind::Avx2);
            }
        }
        InstructionSet(Kind::Baseline)
    }

    /// All that this processor has, the fastest first: what a test forces in turn.
    pub fn available() -> Vec<Self> {
        [
            #[cfg(target_arch = "x86_64")]
            has_avx512().then_some(Kind::Avx512),
            #[cfg(target_arch = "x86_64")]
            has_avx2().then_some(Kind::Avx2),
            Some(Kind::Baseline),
        ]
        .into_iter()
        .flatten()
        .map(InstructionSet)
        .collect()
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            Kind::Baseline => "baseline",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}
