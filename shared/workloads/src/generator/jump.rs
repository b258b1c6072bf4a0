//! Skipping ahead in a sequence of xoshiro256.
//!
//! One step of the generator is a linear map over the field of two elements, so n steps are the map's n-th power. By the
//! theorem of Cayley and Hamilton, that power is a polynomial in the map of degree below 256: x^n modulo the map's
//! characteristic polynomial (Haramoto, Matsumoto, Nishimura, Panneton and L'Ecuyer, *Efficient Jump Ahead for F2-Linear
//! Random Number Generators*, 2008). Vigna's `jump()` is the one for n = 2^128.

/// The coefficients of a polynomial of degree below 256; that of x^i is bit `i % 64` of word `i / 64`.
pub(super) type Polynomial = [u64; 4];

/// The characteristic polynomial of xoshiro256, without its x^256: by the Berlekamp–Massey algorithm, from the lowest bit of
/// the first state word. The jump of its authors proves it in the tests.
const CHARACTERISTIC: Polynomial =
    [0x9d11_6f2b_b0f0_f001, 0x0280_002b_cefd_1a5e, 0x04b4_edcf_2625_9f85, 0x0003_c03c_3f3e_cb19];

/// x^(2^k) for each k: what skips 2^k steps.
pub(super) static POWERS_OF_TWO: [Polynomial; 64] = {
    // x itself.
    let mut powers = [[2, 0, 0, 0]; 64];
    let mut k = 1;
    while k < powers.len() {
        powers[k] = product(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

/// The product modulo the characteristic polynomial.
const fn product(a: Polynomial, b: Polynomial) -> Polynomial {
    let mut product = [0; 4];
    // Horner's rule over the bits of b, the highest first.
    let mut bit = 256;
    while bit > 0 {
        bit -= 1;
        product = times_x(product);
        if b[bit / 64] >> (bit % 64) & 1 == 1 {
            product = sum(product, a);
        }
    }
    product
}

/// The polynomial times x, modulo the characteristic polynomial.
const fn times_x([a, b, c, d]: Polynomial) -> Polynomial {
    let shifted = [a << 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63];
    if d >> 63 == 1 { sum(shifted, CHARACTERISTIC) } else { shifted }
}

const fn sum(a: Polynomial, b: Polynomial) -> Polynomial {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `JUMP` of <https://prng.di.unimi.it/xoshiro256plusplus.c>: 2^128 steps.
    const VIGNAS: Polynomial =
        [0x180e_c6d3_3cfd_0aba, 0xd5a6_1266_f0c9_392c, 0xa958_2618_e03f_c9aa, 0x39ab_dc45_29b1_661c];

    #[test]
    fn squared_often_enough_it_is_vignas_jump() {
        let last = POWERS_OF_TWO[63];
        assert_eq!((63..128).fold(last, |power, _| product(power, power)), VIGNAS);
    }
}
