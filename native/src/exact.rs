//! Numbers as Python has them.

/// `num / den` of ints: the quotient's nearest float, whatever their size. `den` > 0.
pub fn true_division(num: i128, den: i128) -> f64 {
    const EXACT: i128 = 1 << 53;
    if num.abs() <= EXACT && den <= EXACT {
        return num as f64 / den as f64;
    }
    let (size, den) = (num.unsigned_abs(), den as u128);
    let bits = |x: u128| 128 - x.leading_zeros() as i32;
    let shift = (56 - (bits(size) - bits(den))).max(0);
    let scaled = size << shift;
    let quotient = scaled / den | u128::from(scaled % den != 0);
    let found = quotient as f64 * (-f64::from(shift)).exp2();
    if num < 0 { -found } else { found }
}

#[cfg(test)]
mod tests {
    use super::true_division;

    #[test]
    fn is_rounded_once() {
        assert_eq!(true_division(1, 3), 1.0 / 3.0);
        assert_eq!(true_division((1 << 53) + 1, 1), 9007199254740992.0);
        assert_eq!(true_division((1 << 54) + 3, 1), 18014398509481988.0);
        assert_eq!(true_division((1 << 70) + 1, 1 << 70), 1.0);
    }
}
