//! A turbofan to which nothing ever happened: what `domains/maintenance/features.py`, `memory.py`,
//! `health/clock.py` and `reorder.py` make of a reading that follows what was learned, to the bit.

use pyo3::prelude::*;

use crate::msgpack::{self as pack, Reader, Unusual, Usual};
use crate::suspects;

pub const N: usize = 14;
const COLUMNS: usize = N + 1;
const ROWS: usize = 7;
const HEAD: usize = 56;
const SIZE: usize = HEAD + ROWS * COLUMNS * 8;
const DIGEST: usize = HEAD - 20;
const LAST: usize = 0;
const MID: usize = 1;
const FAST: usize = 2;
const BASE: usize = 3;
const SLOW: usize = 4;
const LONG: usize = 5;
const SQUARES: usize = 6;
const MEANS: usize = 5;
const SETTLED: u8 = 40;
const BASELINE: u8 = 15;
const STUCK_AFTER: u8 = 16;
const LONGEST: u8 = 255;
const MOST: f64 = 65535.0;
const ELSEWHERE_SPAN: f64 = 30.0;
const FARTHEST: f64 = 100.0;
const TENTHS: f64 = 10_000.0;
pub const FEATURES: usize = 3 * N + 13 + 6;
const UNKNOWN: i64 = -1;

const START: f64 = 4.5;
const OUT: f64 = 3.5;
const MOST_SUSPECTS: usize = 2;
const DRIFTED: f64 = 3.0;
const OTHERS: f64 = 0.7;
const SECOND: f64 = 0.4;
const WORN: f64 = 1.5;
const FINE: f64 = 5.0;

const KEPT: usize = 8;
const SETTINGS: usize = 8;

pub type Sensors = [f64; N];
type Rows = [[f64; COLUMNS]; ROWS];

/// Of the type and the model, as the reference has it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Normal {
    low: Vec<f64>,
    high: Vec<f64>,
    signs: Vec<f64>,
    sentinels: Vec<f64>,
    /// Weight of a reading in each mean, by readings known: a row a mean.
    alphas: Vec<Vec<f64>>,
    /// Of each condition the middle of its settings and how far they reach.
    conditions: Vec<(Vec<f64>, Vec<f64>)>,
    centre: Vec<Vec<f64>>,
    scale: Vec<Vec<f64>>,
    digest: u32,
}

impl Normal {
    pub fn is_sound(&self) -> bool {
        let wide = [&self.low, &self.high, &self.signs].iter().all(|each| each.len() == N);
        let known = self.conditions.len();
        wide && self.alphas.len() == MEANS
            && self.alphas.iter().all(|each| each.len() == usize::from(SETTLED) + 1)
            && (self.centre.len(), self.scale.len()) == (known, known)
            && self.centre.iter().chain(&self.scale).all(|each| each.len() == N)
    }

    fn find(&self, settings: &[f64]) -> Option<usize> {
        if settings.is_empty() {
            return (self.conditions.len() == 1).then_some(0);
        }
        self.conditions.iter().position(|(middle, reach)| {
            let each = || settings.iter().zip(middle).zip(reach);
            middle.is_empty()
                || settings.len() == middle.len()
                    && each().all(|((value, centre), reach)| {
                        let away = value - centre;
                        -reach <= away && away <= *reach
                    })
        })
    }
}

pub struct Reading<'a> {
    pub time: i64,
    pub cycle: i64,
    pub settings: &'a [f64],
    /// NaN where there is none; `absent` says where.
    pub values: Sensors,
    pub absent: bool,
}

/// What is expected of each sensor: `health.wearing.Expected`.
pub struct Expected {
    pub centre: Sensors,
    pub baseline: Sensors,
    pub sigma: Sensors,
    pub last: Sensors,
    pub drift: Sensors,
}

#[derive(Clone, Default)]
struct Known {
    time: i64,
    cycle: i64,
    offset: i64,
    body: Vec<u8>,
    health: Vec<u8>,
}

#[derive(Clone)]
struct Recent {
    base: Known,
    middle: Known,
    split: usize,
    readings: Vec<Vec<u8>>,
    mark: Option<Known>,
    marked: i64,
    opened: i64,
}

/// `state.UnitState`, but for one with a Life.
#[derive(Clone)]
pub struct Unit {
    time: i64,
    cycle: i64,
    offset: i64,
    body: Vec<u8>,
    /// As it is written.
    pub alarm: Vec<u8>,
    recent: Option<Recent>,
    clock: Vec<u8>,
    health: Vec<u8>,
}

pub const NIL: [u8; 1] = [0xc0];

impl Default for Unit {
    fn default() -> Unit {
        Unit {
            time: 0,
            cycle: 0,
            offset: 0,
            body: Vec::new(),
            alarm: NIL.to_vec(),
            recent: None,
            clock: Vec::new(),
            health: Vec::new(),
        }
    }
}

impl Known {
    fn read(from: &mut Reader) -> Usual<Known> {
        if from.array()? != 5 {
            return Err(Unusual);
        }
        let (time, cycle, offset) = (from.int()?, from.int()?, from.int()?);
        let (body, health) = (from.bytes()?.to_vec(), from.bytes()?.to_vec());
        Ok(Known { time, cycle, offset, body, health })
    }

    fn write(&self, out: &mut Vec<u8>) {
        pack::array(out, 5);
        for each in [self.time, self.cycle, self.offset] {
            pack::int(out, each);
        }
        pack::bytes(out, &self.body);
        pack::bytes(out, &self.health);
    }
}

impl Recent {
    fn read(from: &mut Reader) -> Usual<Recent> {
        if from.array()? != 7 {
            return Err(Unusual);
        }
        let (base, middle) = (Known::read(from)?, Known::read(from)?);
        let split = usize::try_from(from.int()?).map_err(|_| Unusual)?;
        let mut readings = Vec::new();
        for _ in 0..from.array()? {
            readings.push(from.bytes()?.to_vec());
        }
        if split > readings.len() {
            return Err(Unusual);
        }
        let mark = if from.nil() { None } else { Some(Known::read(from)?) };
        let (marked, opened) = (from.int()?, from.int()?);
        Ok(Recent { base, middle, split, readings, mark, marked, opened })
    }

    fn write(&self, out: &mut Vec<u8>) {
        pack::array(out, 7);
        self.base.write(out);
        self.middle.write(out);
        pack::int(out, self.split as i64);
        pack::array(out, self.readings.len());
        for each in &self.readings {
            pack::bytes(out, each);
        }
        match &self.mark {
            None => pack::nil(out),
            Some(mark) => mark.write(out),
        }
        pack::int(out, self.marked);
        pack::int(out, self.opened);
    }
}

impl Unit {
    pub fn read(data: &[u8]) -> Usual<Unit> {
        let mut from = Reader::new(data);
        if from.array()? != 8 {
            return Err(Unusual);
        }
        let (time, cycle, offset) = (from.int()?, from.int()?, from.int()?);
        let body = from.bytes()?.to_vec();
        let alarm = from.raw()?.to_vec();
        let recent = if from.nil() { None } else { Some(Recent::read(&mut from)?) };
        let (clock, health) = (from.bytes()?.to_vec(), from.bytes()?.to_vec());
        let sound = (body.is_empty() || body.len() == SIZE)
            && (clock.is_empty() || clock.len() == CLOCK)
            && (health.is_empty() || health.len() >= N);
        if !from.is_done() || !sound {
            return Err(Unusual);
        }
        Ok(Unit { time, cycle, offset, body, alarm, recent, clock, health })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        pack::array(out, 8);
        for each in [self.time, self.cycle, self.offset] {
            pack::int(out, each);
        }
        pack::bytes(out, &self.body);
        out.extend_from_slice(&self.alarm);
        match &self.recent {
            None => pack::nil(out),
            Some(recent) => recent.write(out),
        }
        pack::bytes(out, &self.clock);
        pack::bytes(out, &self.health);
    }

    fn known(&self) -> Known {
        let Unit { time, cycle, offset, .. } = *self;
        Known { time, cycle, offset, body: self.body.clone(), health: self.health.clone() }
    }

    /// Features of a reading, which is learned, and seconds by which the clock is off. `look`: at
    /// the sensors' health where there may be more to say: by what was kept of it, what is kept of
    /// it now, and which sensors the reading is learned without. After `Unusual` nothing has changed.
    pub fn advance<E: From<Unusual>>(
        &mut self,
        normal: &Normal,
        reading: &Reading,
        look: impl FnOnce(&[u8], &Expected) -> Result<(Vec<u8>, [bool; N]), E>,
    ) -> Result<([f64; FEATURES], f64), E> {
        let follows = self.body.is_empty() || reading.time > self.time;
        let fits = u32::try_from(reading.cycle).is_ok() && reading.settings.len() <= SETTINGS;
        if !follows || !fits || reading.settings.iter().any(|each| each.is_nan()) {
            return Err(Unusual.into());
        }
        let (clock, skew) = if reading.time > 0 {
            let (clock, skew) = look_at_clock(&self.clock, reading.time, reading.cycle)?;
            (Some(clock), skew)
        } else {
            (None, 0.0)
        };
        let condition = normal.find(reading.settings);
        let mut memory = Memory::of(&self.body, normal.digest)?;
        let (mut health, mut values) = (None, reading.values);
        if let (Some(condition), false) = (condition, self.body.is_empty()) {
            if memory.is_told && memory.counts[..N].iter().all(|&count| count >= BASELINE) {
                let expected = memory.expected(&normal.centre[condition], &normal.scale[condition]);
                if let Some(found) = self.quick_look(normal, reading, &expected)? {
                    health = found;
                } else {
                    let (kept, out) = look(&self.health, &expected)?;
                    for (value, is_out) in values.iter_mut().zip(out) {
                        if is_out {
                            *value = f64::NAN;
                        }
                    }
                    health = Some(kept);
                }
            }
        }
        let mut works = [false; N];
        for at in 0..N {
            works[at] = normal.low[at] <= values[at] && values[at] <= normal.high[at];
        }
        let mut z = [0.0; N];
        if let Some(condition) = condition {
            let (centre, scale) = (&normal.centre[condition], &normal.scale[condition]);
            for at in 0..N {
                z[at] = (values[at] - centre[at]) * scale[at];
                works[at] &= z[at].abs() <= FARTHEST;
            }
        }
        memory.known = (memory.known + 1.0).min(MOST);
        let away = if condition.is_none() { 1.0 } else { 0.0 };
        let weight = (2.0 / (ELSEWHERE_SPAN + 1.0)).max(1.0 / memory.known);
        memory.elsewhere += weight * (away - memory.elsewhere);
        if condition.is_some() {
            memory.learn(normal, &values, &works, &z);
        }
        let offset = if reading.cycle < self.cycle { self.offset + self.cycle } else { self.offset };
        let told = condition.map_or(UNKNOWN, |each| each as i64);
        let row = memory.features(&works, offset + reading.cycle, told);
        let mut recent = match self.recent.take() {
            Some(recent) => recent,
            None => self.begun(reading.time),
        };
        self.offset = offset;
        (self.time, self.cycle) = (reading.time, reading.cycle);
        memory.write(&mut self.body, normal.digest);
        if let Some(clock) = clock {
            self.clock = clock;
        }
        if let Some(health) = health {
            self.health = health;
        }
        recent.readings.push(packed(reading));
        (recent.mark, recent.marked) = (None, 0);
        self.turn(&mut recent);
        self.recent = Some(recent);
        Ok((row, skew))
    }

    fn begun(&self, time: i64) -> Recent {
        let mut known = self.known();
        if known.body.is_empty() {
            known.time = known.time.min(time - 1);
        }
        let middle = known.clone();
        let (readings, mark) = (Vec::new(), None);
        Recent { base: known, middle, split: 0, readings, mark, marked: 0, opened: 0 }
    }

    fn turn(&self, recent: &mut Recent) {
        if recent.readings.len() - recent.split < KEPT {
            return;
        }
        recent.marked -= recent.split as i64;
        if recent.marked < 0 {
            (recent.mark, recent.marked) = (None, 0);
        }
        recent.readings.drain(..recent.split);
        recent.base = std::mem::replace(&mut recent.middle, self.known());
        recent.split = recent.readings.len();
    }

    /// What is kept of the sensors' health where there is nothing to say of it; None in the place of
    /// what stays, and of all where there may be more: as `memory.expected` and `together.health`.
    fn quick_look(&self, normal: &Normal, reading: &Reading, expected: &Expected) -> Usual<Option<Option<Vec<u8>>>> {
        if reading.absent {
            return Ok(None);
        }
        let (mut z, mut outs, mut sizes) = ([0.0; N], 0, [0.0; N]);
        for at in 0..N {
            let value = reading.values[at];
            let (sigma, drift) = (expected.sigma[at], expected.drift[at]);
            z[at] = (value - expected.centre[at]) / sigma;
            let size = z[at].abs();
            if size.is_nan() || drift.is_nan() {
                return Err(Unusual);
            }
            if size >= START && normal.signs[at] * z[at] * drift < WORN * size {
                return Ok(None);
            }
            if value == expected.last[at] && is_fine(value, sigma)? {
                return Ok(None);
            }
            outs += usize::from(size >= OUT);
            sizes[at] = drift.abs();
        }
        sizes.sort_unstable_by(f64::total_cmp);
        let most = sizes[N - 1];
        if most >= DRIFTED && sizes[(N - 1) / 2] <= OTHERS && sizes[N - 2] <= SECOND * most {
            return Ok(None);
        }
        if self.health.is_empty() {
            return Ok(Some(None));
        }
        if outs > MOST_SUSPECTS || self.health[..N].iter().any(|&gone| gone != 0) {
            return Ok(None);
        }
        let mut kept = self.health.clone();
        if suspects::count(&mut kept[N..], &reading.values, &z, &normal.sentinels) {
            return Ok(Some(Some(kept)));
        }
        Ok(None)
    }
}

/// Whether a value's decimals are much finer than its noise: `wearing.is_fine`.
fn is_fine(value: f64, sigma: f64) -> Usual<bool> {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return Err(Unusual); // written with an exponent
    }
    let mut buffer = ryu::Buffer::new();
    let told = buffer.format_finite(value);
    let decimals = told.split_once('.').map_or("", |(_, decimals)| decimals);
    let count = decimals.trim_end_matches('0').len();
    Ok(sigma >= FINE * TENS.get(count).copied().ok_or(Unusual)?)
}

/// `10.0**-n` as Python has it.
const TENS: [f64; 23] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14,
    1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21, 1e-22,
];

fn packed(reading: &Reading) -> Vec<u8> {
    let mut made = Vec::with_capacity(12 + 8 * (N + reading.settings.len()));
    made.extend_from_slice(&reading.time.to_le_bytes());
    made.extend_from_slice(&(reading.cycle as u32).to_le_bytes());
    for value in reading.values.iter().chain(reading.settings) {
        made.extend_from_slice(&value.to_le_bytes());
    }
    made
}

struct Memory {
    counts: [u8; COLUMNS],
    runs: [u8; N],
    known: f64,
    elsewhere: f64,
    rows: Rows,
    /// Whether it was learned by this normal.
    is_told: bool,
}

fn number(data: &[u8], at: usize) -> f64 {
    let mut found = [0; 8];
    found.copy_from_slice(&data[at..at + 8]);
    f64::from_le_bytes(found)
}

impl Memory {
    fn of(body: &[u8], digest: u32) -> Usual<Memory> {
        let mut made = Memory {
            counts: [0; COLUMNS],
            runs: [0; N],
            known: 0.0,
            elsewhere: 0.0,
            rows: [[0.0; COLUMNS]; ROWS],
            is_told: false,
        };
        if body.is_empty() || body[DIGEST..DIGEST + 4] != digest.to_le_bytes() {
            made.rows[LAST] = [f64::NAN; COLUMNS];
            made.rows[SQUARES] = [f64::from(BASELINE); COLUMNS];
            return Ok(made);
        }
        made.is_told = true;
        made.counts.copy_from_slice(&body[..COLUMNS]);
        made.runs.copy_from_slice(&body[COLUMNS..COLUMNS + N]);
        if made.counts.iter().any(|&count| count > SETTLED) {
            return Err(Unusual);
        }
        made.known = number(body, HEAD - 16);
        made.elsewhere = number(body, HEAD - 8);
        for (nth, row) in made.rows.iter_mut().enumerate() {
            for (column, cell) in row.iter_mut().enumerate() {
                *cell = number(body, HEAD + 8 * (nth * COLUMNS + column));
            }
        }
        Ok(made)
    }

    fn write(&self, out: &mut Vec<u8>, digest: u32) {
        out.clear();
        out.reserve(SIZE);
        out.extend_from_slice(&self.counts);
        out.extend_from_slice(&self.runs);
        out.extend_from_slice(&[0; DIGEST - COLUMNS - N]);
        out.extend_from_slice(&digest.to_le_bytes());
        out.extend_from_slice(&self.known.to_le_bytes());
        out.extend_from_slice(&self.elsewhere.to_le_bytes());
        for cell in self.rows.iter().flatten() {
            out.extend_from_slice(&cell.to_le_bytes());
        }
    }

    fn expected(&self, centre: &[f64], scale: &[f64]) -> Expected {
        let (rows, no) = (&self.rows, [0.0; N]);
        let mut made = Expected { centre: no, baseline: no, sigma: no, last: no, drift: no };
        for at in 0..N {
            let base = rows[BASE][at];
            let sigma = (rows[SQUARES][at] / (2.0 * f64::from(BASELINE))).sqrt();
            made.centre[at] = centre[at] + rows[SLOW][at] / scale[at];
            made.baseline[at] = centre[at] + base / scale[at];
            made.sigma[at] = sigma / scale[at].abs();
            made.last[at] = rows[LAST][at];
            made.drift[at] = (rows[MID][at] - base) / sigma;
        }
        made
    }

    fn learn(&mut self, normal: &Normal, values: &Sensors, works: &[bool; N], z: &Sensors) {
        let (mut told, mut columns) = ([0.0; COLUMNS], [false; COLUMNS]);
        let mut some = Vec::with_capacity(N);
        for at in 0..N {
            if works[at] {
                let again = values[at] == self.rows[LAST][at];
                self.runs[at] = if again { self.runs[at].min(LONGEST - 1) + 1 } else { 1 };
                self.rows[LAST][at] = values[at];
                if self.runs[at] < STUCK_AFTER {
                    columns[at] = true;
                    some.push(z[at]);
                }
            }
            told[at] = z[at];
        }
        columns[N] = !some.is_empty();
        told[N] = fsum(&some) / some.len().max(1) as f64;
        let mut away = [0.0; N];
        for mean in 0..MEANS {
            for column in 0..COLUMNS {
                let cell = &mut self.rows[MID + mean][column];
                let step = if columns[column] { told[column] - *cell } else { 0.0 };
                if MID + mean == BASE && column < N {
                    away[column] = step;
                }
                *cell += step * normal.alphas[mean][usize::from(self.counts[column])];
            }
        }
        if self.counts.iter().any(|&count| count < BASELINE) {
            for at in 0..N {
                let grows = columns[at] && self.counts[at] < BASELINE;
                let by = if grows { away[at] * (z[at] - self.rows[BASE][at]) } else { 0.0 };
                self.rows[SQUARES][at] += by;
            }
        }
        for (count, grows) in self.counts.iter_mut().zip(columns) {
            *count = (*count + u8::from(grows)).min(SETTLED);
        }
    }

    fn features(&self, works: &[bool; N], age: i64, condition: i64) -> [f64; FEATURES] {
        let rows = &self.rows;
        let is_settled = self.counts.iter().all(|&count| count == SETTLED);
        let mut row = [0.0; FEATURES];
        let mut drift = [[0.0; COLUMNS]; 2];
        for column in 0..COLUMNS {
            let squares = rows[SQUARES][column];
            let sigma = if is_settled {
                squares * (0.5 / f64::from(BASELINE))
            } else {
                squares / (f64::from(self.counts[column].min(BASELINE)) + f64::from(BASELINE))
            };
            let sigma = sigma.sqrt();
            drift[0][column] = (rows[MID][column] - rows[BASE][column]) / sigma;
            drift[1][column] = (rows[FAST][column] - rows[SLOW][column]) / sigma;
        }
        let (mut longest, mut place, mut usable) = (0, 0, 0);
        for at in 0..N {
            let run = if works[at] { self.runs[at] } else { 0 };
            if run > longest {
                (longest, place) = (run, at);
            }
            usable += i32::from(works[at] && run < STUCK_AFTER);
            row[at] = rows[MID][at];
            row[N + at] = drift[0][at];
            row[2 * N + at] = drift[1][at];
        }
        let [m, f, b, s, g] = [MID, FAST, BASE, SLOW, LONG].map(|each| rows[each][N]);
        let rest = [
            f, m, s, f - b, m - b, s - b, f - s, m - s, f - m, g, m - g, s - g, age as f64,
            f64::from(usable), f64::from(longest), place as f64, condition as f64, self.elsewhere,
            self.known,
        ];
        row[3 * N..].copy_from_slice(&rest);
        for each in &mut row {
            *each = (*each * TENTHS).round_ties_even() / TENTHS;
        }
        row
    }
}

/// `math.fsum` of a few finite numbers.
fn fsum(numbers: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::with_capacity(8);
    for &number in numbers {
        let (mut x, mut kept) = (number, 0);
        for at in 0..partials.len() {
            let mut y = partials[at];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        if x != 0.0 {
            partials.push(x);
        }
    }
    let Some(mut high) = partials.pop() else { return 0.0 };
    let mut low = 0.0;
    while let Some(y) = partials.pop() {
        let x = high;
        high = x + y;
        low = y - (high - x);
        if low != 0.0 {
            break;
        }
    }
    // Half way between two: what is below decides.
    if let Some(&next) = partials.last() {
        if (low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0) {
            let y = low * 2.0;
            let x = high + y;
            if y == x - high {
                high = x;
            }
        }
    }
    high
}

/// Of `health.clock`: newest arrival, covered until, cycle, intervals known, readings since it went
/// back, since it leapt, even ones in a row, interval.
const CLOCK: usize = 29;
const EVENLY: i64 = 20;
const SKEWED_AFTER: i64 = 3;
const LEAP: f64 = 4.0;
const WEIGHT: f64 = 0.05;
const MOST_INTERVALS: i64 = 65535;
const FULL: i64 = 255;
const BELIEVED: i64 = 50;
/// Beyond it a time is no exact float.
const EXACT: i64 = 1 << 53;

fn clock_of(time: i64, covered: i64, cycle: i64, counts: [i64; 4], interval: f32) -> Vec<u8> {
    let mut made = Vec::with_capacity(CLOCK);
    made.extend_from_slice(&time.to_le_bytes());
    made.extend_from_slice(&covered.to_le_bytes());
    made.extend_from_slice(&(cycle as u32).to_le_bytes());
    made.extend_from_slice(&(counts[0] as u16).to_le_bytes());
    made.extend(counts[1..].iter().map(|&each| each as u8));
    made.extend_from_slice(&interval.to_le_bytes());
    made
}

fn look_at_clock(body: &[u8], time: i64, cycle: i64) -> Usual<(Vec<u8>, f64)> {
    if body.is_empty() {
        return Ok((clock_of(time, time, cycle, [0; 4], 0.0), 0.0));
    }
    let whole = |at: usize| {
        let mut found = [0; 8];
        found.copy_from_slice(&body[at..at + 8]);
        i64::from_le_bytes(found)
    };
    let (last, mut covered) = (whole(0), whole(8));
    let before = i64::from(u32::from_le_bytes([body[16], body[17], body[18], body[19]]));
    let mut count = i64::from(u16::from_le_bytes([body[20], body[21]]));
    let (mut back, mut leapt, mut evens) = (i64::from(body[22]), i64::from(body[23]), i64::from(body[24]));
    let mut interval = f64::from(f32::from_le_bytes([body[25], body[26], body[27], body[28]]));
    if [time, last, covered].iter().any(|each| each.abs() >= EXACT / 2) || !interval.is_finite() {
        return Err(Unusual);
    }
    let (step, mut off) = (time - last, 0.0);
    let in_order = count < EVENLY || last == covered;
    let is_even = 0 < step && (count == 0 || step as f64 <= LEAP * interval);
    if count < EVENLY {
        covered = covered.max(time);
    } else if time <= covered {
        let goes_on = if back != 0 { is_even } else { step as f64 <= -interval };
        back = if goes_on { (back + 1).min(FULL) } else { 0 };
        if back >= SKEWED_AFTER {
            off = (time - covered) as f64 - back as f64 * interval;
        }
    } else {
        back = 0;
        if step as f64 > LEAP * interval && cycle != 0 && cycle == before + 1 {
            leapt = 1;
        } else if leapt != 0 {
            leapt = if is_even && leapt < BELIEVED { leapt + 1 } else { 0 };
        }
        if leapt == 0 && is_even && (covered == last || evens >= SKEWED_AFTER) {
            covered = time;
        }
        if leapt >= SKEWED_AFTER {
            off = (time - covered) as f64 - leapt as f64 * interval;
        }
    }
    evens = if is_even { (evens + 1).min(FULL) } else { 0 };
    if is_even && back == 0 && in_order {
        interval += WEIGHT.max(1.0 / (count + 1) as f64) * (step as f64 - interval);
        count = (count + 1).min(MOST_INTERVALS);
    }
    if !(interval as f32).is_finite() {
        return Err(Unusual);
    }
    let counts = [count, back, leapt, evens];
    Ok((clock_of(time, covered, cycle, counts, interval as f32), (off.round_ties_even() + 0.0) / 1000.0))
}
