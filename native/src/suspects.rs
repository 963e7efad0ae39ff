//! Suspects that read as ever: what `together/calm.py` makes of them, and with it `health/suspects.py`.

const SIZE: usize = 40;
const OUT: f64 = 3.5;
const CALM: f64 = 2.0;
const EARLY: u16 = 6;
const COUNTED: u16 = 255;
const SLOWLY: u8 = 60;

/// Places in what is kept of one, after place, kind and age (two bytes).
const OUTS: usize = 4;
const MIDS: usize = 5;
const RETURNS: usize = 6;
const QUIET: usize = 7;
const FITS: usize = 9;
const SWAPS: usize = 10;
const ZEROS: usize = 11;
const TOPS: usize = 12;
const BOTTOMS: usize = 13;
const WAS_OUT: usize = 14;
const MEAN: usize = 16;
const SQUARES: usize = 20;
const TOP: usize = 24;
const BOTTOM: usize = 28;
const EARLIER: usize = 36;

fn float(kept: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([kept[at], kept[at + 1], kept[at + 2], kept[at + 3]])
}

fn put(kept: &mut [u8], at: usize, value: f32) {
    kept[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Counts a reading of each suspect in `kept`; false where it may be more than calm: then what is in
/// `kept` means nothing. `values` and `z`, how far they are from normal, by the suspects' place.
pub fn count(kept: &mut [u8], values: &[f64], z: &[f64], sentinels: &[f64]) -> bool {
    if kept.len() % SIZE != 0 {
        return false;
    }
    kept.chunks_exact_mut(SIZE).all(|one| {
        let place = usize::from(one[0]);
        place < values.len() && !sentinels.contains(&values[place]) && is_calm(one, values[place], z[place])
    })
}

fn is_calm(one: &mut [u8], value: f64, z: f64) -> bool {
    let age = u16::from_le_bytes([one[2], one[3]]);
    if one[1] != 0 || age >= COUNTED {
        return false;
    }
    let (value, z) = (value as f32, f64::from(z as f32));
    let size = z.abs();
    if !(size < OUT) || !value.is_finite() {
        return false;
    }
    let age = age + 1;
    one[2..4].copy_from_slice(&age.to_le_bytes());
    let was_out = one[WAS_OUT];
    if !(add(one, MIDS, u8::from(size >= CALM)) && add(one, RETURNS, was_out) && add(one, QUIET, 1)) {
        return false;
    }
    one[WAS_OUT] = 0;
    let before = f64::from(float(one, MEAN));
    let step = z - before;
    let mean = before + step / f64::from(age);
    put(one, MEAN, mean as f32);
    let squares = f64::from(float(one, SQUARES)) + step * (z - mean);
    put(one, SQUARES, squares as f32);
    if age == EARLY {
        put(one, EARLIER, mean as f32);
    }
    for (end, times, is_top) in [(TOP, TOPS, true), (BOTTOM, BOTTOMS, false)] {
        let known = float(one, end);
        if if is_top { value >= known } else { value <= known } {
            let again = if value == known { one[times] } else { 0 };
            let Some(found) = again.checked_add(1) else { return false };
            one[times] = found;
            put(one, end, value);
        }
    }
    !may_be_told(one, age)
}

fn add(one: &mut [u8], at: usize, by: u8) -> bool {
    let found = one[at].checked_add(by);
    one[at] = found.unwrap_or(0);
    found.is_some()
}

/// Whether it may be known now what is wrong, or that nothing is: for these and a few others.
fn may_be_told(one: &[u8], age: u16) -> bool {
    let (some, most) = (0.08 * f64::from(age), 0.8 * f64::from(age));
    let of = |at: usize| f64::from(one[at]);
    of(SWAPS).max(of(FITS)).max(of(OUTS)) >= most
        || of(TOPS).max(of(BOTTOMS)) >= some.max(4.0)
        || of(OUTS) >= some.max(3.0)
        || one[RETURNS] >= 3
        || one[ZEROS] >= 2
        || one[QUIET] >= SLOWLY
}
