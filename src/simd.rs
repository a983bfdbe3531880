//! What loops need to be vectorised. One loop, compiled twice: for every x86-64, and for those with AVX2, chosen when it runs.
//! The compiler vectorises the body by itself; this only lets it use wider registers.

/// Wraps a function without a result, or with one, whose body is a plain loop.
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
                    // SAFETY: the processor has just been asked.
                    return unsafe { avx2($($arg),*) };
                }
            }
            any($($arg),*);
        }
    };
}

pub(crate) use vectorised;

/// The nearest integer, of two the even one, of a number of at most 2^22; anything of others. A
/// conversion by `as` checks its range, which keeps a loop from being vectorised well.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> i32 {
    /// Leaves no bits behind the point, and the integer in the lowest ones.
    const ROUND: f32 = 12_582_912.0;
    (value + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}
