//! Help for loops that the compiler vectorises. Each loop is compiled twice, for any x86-64 processor
//! and for those with AVX2, and the version is chosen at run time.

/// Compiles a function without a result, whose body is a plain loop, for AVX2 too, and calls that
/// version where the processor has it. The results are the same.
#[macro_export]
macro_rules! vectorised {
    ($(#[$meta:meta])* $visible:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $visible fn $name($($arg: $type),*) {
            #[inline(always)]
            fn any($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) {
                    any($($arg),*);
                }
                if std::is_x86_feature_detected!("avx2") {
                    // SAFETY: the line above found AVX2 on this processor.
                    return unsafe { avx2($($arg),*) };
                }
            }
            any($($arg),*);
        }
    };
}

pub use crate::vectorised;

/// Rounds to the nearest integer, ties to even, for values up to ±2^22; unspecified for others. A
/// conversion by `as` checks the range, which keeps loops from being vectorised well.
#[inline(always)]
pub fn nearest(value: f32) -> i32 {
    /// 1.5 · 2^23: adding it leaves no fraction bits, and the integer in the lowest ones.
    const ROUND: f32 = 12_582_912.0;
    (value + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}
