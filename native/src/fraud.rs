//! Features of plain payments: what `domains/fraud/state.py` and `habits.py` are, to the bit.

use crate::exact::true_division;
use crate::msgpack::{self as pack, Reader, Unusual, Usual};

pub const TEN_MINUTES: i64 = 600_000;
pub const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const THREE_DAYS: i64 = 3 * DAY;
const LONG_AGO: i64 = 30 * 86_400;
const BITS: u32 = 46;
const SUM: i64 = (1 << BITS) - 1;
const MOST_COUNT: i64 = (1 << 18) - 1;
const MOST_SUM: i64 = 1 << 41;
const MOST_SQUARES: i128 = i64::MAX as i128;
const BUCKETS: i64 = 10;
const DOUBTS: usize = 32;
const ENOUGH: i64 = 5;
const FAR: f64 = 2.5;
const SETTLED: i64 = 14 * DAY;
const FULL: i64 = 1 << 17;
/// Beyond these a sum may not fit: the reference counts without bounds.
const LARGE: i64 = 1 << 40;

/// A feature: the decision's JSON tells ints from floats.
#[derive(Clone, Copy)]
pub enum Value {
    Int(i64),
    Float(f64),
}
use Value::{Float, Int};

#[derive(Clone, Copy)]
struct Doubt {
    time: i64,
    points: i64,
    what: i64,
}

#[derive(Clone, Copy)]
struct Told {
    arrival: i64,
    what: i64,
    time: i64,
    points: i64,
    fraud: bool,
}

#[derive(Clone, Default)]
struct Habits {
    since: i64,
    newest: i64,
    rings: Option<([i64; 10], [i64; 10], [i64; 10])>, // month, squares, most
    doubts: Vec<Doubt>,
    labels: Vec<Told>,
    country: String,
}

#[derive(Clone, Default)]
pub struct State {
    seen: i64,
    newest: i64,
    hour: [i64; 6],
    day: [i64; 24],
    week: [i64; 7],
    month: [i64; 10],
    squares: [i64; 10],
    pub currency: String,
    habits: Option<Habits>,
}

pub struct Payment<'a> {
    pub id: &'a str,
    pub time: i64,
    pub currency: &'a str,
    pub country: &'a str,
    pub utc_offset: i64,
}

impl State {
    pub fn read(from: &mut Reader) -> Usual<State> {
        let fields = from.array()?;
        if !(7..=13).contains(&fields) {
            return Err(Unusual);
        }
        let mut state = State {
            seen: from.int()?,
            newest: from.int()?,
            hour: from.ints()?,
            day: from.ints()?,
            week: from.ints()?,
            month: from.ints()?,
            squares: from.ints()?,
            ..State::default()
        };
        if fields > 7 {
            state.currency = from.text()?.to_owned();
        }
        if fields > 8 && !from.nil() {
            return Err(Unusual);
        }
        if fields > 9 && !from.nil() {
            state.habits = Some(Habits::read(from)?);
        }
        for _ in 10..fields {
            if !from.nil() {
                return Err(Unusual);
            }
        }
        Ok(state)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        pack::array(out, 9 + usize::from(self.habits.is_some()));
        pack::int(out, self.seen);
        pack::int(out, self.newest);
        for ring in [&self.hour[..], &self.day, &self.week, &self.month, &self.squares] {
            pack::ints(out, ring);
        }
        pack::text(out, &self.currency);
        pack::nil(out);
        if let Some(habits) = &self.habits {
            habits.write(out);
        }
    }

    /// The features of a payment of an amount given in points of each currency by `points`; then
    /// it is learned. After an error the state means nothing.
    pub fn advance(
        &mut self,
        event: &Payment,
        points: impl Fn(&str) -> Usual<i64>,
        row: &mut Vec<Value>,
    ) -> Usual<()> {
        let Payment { time, .. } = *event;
        let before = if self.habits.is_some() { Some(self.currency.clone()) } else { None };
        let ten = time.div_euclid(TEN_MINUTES);
        let hours = ten.div_euclid(6);
        let days = hours.div_euclid(24);
        let mut since = 0;
        if self.seen == 0 {
            (since, self.newest) = (LONG_AGO, time);
        } else if time > self.newest {
            since = ((time - self.newest) / 1000).min(LONG_AGO);
            let old = self.newest.div_euclid(TEN_MINUTES);
            self.newest = time;
            if old < ten {
                self.roll(old, ten);
            }
        }
        if self.currency != event.currency {
            if self.month.iter().all(|&bucket| bucket == 0) {
                self.currency = event.currency.to_owned();
            } else if self.currency.is_empty() {
                return Err(Unusual);
            }
        }
        let amount = points(&self.currency)?;
        if !(0..=LARGE).contains(&amount) {
            return Err(Unusual);
        }
        let own_hours = if event.utc_offset == 0 {
            hours
        } else {
            (time + event.utc_offset * 60_000).div_euclid(HOUR)
        };
        let hour = own_hours.rem_euclid(24);
        let weekend = (own_hours.div_euclid(24) + 3).rem_euclid(7) >= 5;
        row.extend([Int(amount), Int(hour), Int(weekend.into()), Int(since), Int(self.seen)]);
        let (mut count, mut sum) = (0, 0);
        for ring in [&self.hour[..], &self.day, &self.week, &self.month] {
            (count, sum) = counted(ring)?;
            row.extend([Int(count), Int(sum)]);
            if count == 0 {
                row.extend([Int(0), Int(1)]);
            } else {
                let ratio = i128::from(amount) * 1000 * i128::from(count) / i128::from(sum);
                row.extend([Int(sum / count), Float(ratio as f64 / 1000.0)]);
            }
        }
        let squares = self.squares.iter().map(|&each| i128::from(each)).sum();
        row.push(if count > 2 { Float(z(amount, count, sum, squares)) } else { Int(0) });

        self.seen += 1;
        let square = i128::from(amount) * i128::from(amount);
        if time == self.newest && count < MOST_COUNT && sum + amount < MOST_SUM {
            let one = (1 << BITS) + amount;
            let threes = days.div_euclid(3);
            self.hour[ten.rem_euclid(6) as usize] += one;
            self.day[hours.rem_euclid(24) as usize] += one;
            self.week[days.rem_euclid(7) as usize] += one;
            let at = threes.rem_euclid(10) as usize;
            self.month[at] += one;
            self.squares[at] = (i128::from(self.squares[at]) + square).min(MOST_SQUARES) as i64;
        } else {
            self.learn_with_care(ten, amount, square);
        }

        let mut habits = self.habits.take().unwrap_or_default();
        if before.is_some_and(|before| before != self.currency) {
            habits = Habits {
                labels: habits.labels,
                country: habits.country,
                ..Habits::default()
            };
        }
        habits.advance(event, amount, hour, row)?;
        self.habits = Some(habits);
        Ok(())
    }

    fn roll(&mut self, old: i64, new: i64) {
        roll(&mut self.hour, old, new);
        let (old, new) = (old.div_euclid(6), new.div_euclid(6));
        if old < new {
            roll(&mut self.day, old, new);
            let (old, new) = (old.div_euclid(24), new.div_euclid(24));
            if old < new {
                roll(&mut self.week, old, new);
                let (old, new) = (old.div_euclid(3), new.div_euclid(3));
                roll(&mut self.month, old, new);
                roll(&mut self.squares, old, new);
            }
        }
    }

    fn learn_with_care(&mut self, ten: i64, amount: i64, square: i128) {
        let newest = self.newest.div_euclid(TEN_MINUTES);
        let rings: [(&mut [i64], i64); 4] = [
            (&mut self.hour, 1),
            (&mut self.day, 6),
            (&mut self.week, 144),
            (&mut self.month, 432),
        ];
        for (ring, tens) in rings {
            let (bucket, size) = (ten.div_euclid(tens), ring.len() as i64);
            if bucket > newest.div_euclid(tens) - size {
                let at = bucket.rem_euclid(size) as usize;
                let (count, sum) = ((ring[at] >> BITS) + 1, (ring[at] & SUM) + amount);
                ring[at] = (count.min(MOST_COUNT) << BITS) + sum.min(MOST_SUM);
                if tens == 432 {
                    let found = i128::from(self.squares[at]) + square;
                    self.squares[at] = found.min(MOST_SQUARES) as i64;
                }
            }
        }
    }
}

fn roll(ring: &mut [i64], old: i64, new: i64) {
    let size = ring.len() as i64;
    for bucket in (old + 1).max(new - size + 1)..=new {
        ring[bucket.rem_euclid(size) as usize] = 0;
    }
}

/// Payments in a ring and the sum of their amounts, each at least 1.
fn counted(ring: &[i64]) -> Usual<(i64, i64)> {
    let mut both = 0_i64;
    for &bucket in ring {
        if bucket < 0 {
            return Err(Unusual);
        }
        both = both.checked_add(bucket).ok_or(Unusual)?;
    }
    let (count, sum) = (both >> BITS, both & SUM);
    if count >= FULL || sum < count {
        return Err(Unusual);
    }
    Ok((count, sum))
}

fn z(amount: i64, count: i64, total: i64, squares: i128) -> f64 {
    let mean = total as f64 / count as f64;
    let (n, sum) = (i128::from(count), i128::from(total));
    let apart = (n * squares - sum * sum).max(0);
    let spread = true_division(apart, n * (n - 1)).sqrt();
    let far = (amount as f64 - mean) / spread.max(mean / 10.0).max(100.0) * 1000.0;
    (far as i64) as f64 / 1000.0
}

type Sums = (i64, i64, i128);

/// Mean and deviation of payments, and the amount's ratio and distance to them.
fn compare(amount: i64, (count, total, squares): Sums) -> Usual<[f64; 4]> {
    if count == 0 {
        return Ok([0.0, 0.0, 1.0, 0.0]);
    }
    if count < 0 || total <= 0 || total > 1 << 52 {
        return Err(Unusual);
    }
    let (mean, amount) = (total as f64 / count as f64, amount as f64);
    if count < 3 {
        return Ok([mean, 0.0, amount / mean, 0.0]);
    }
    let (n, sum) = (i128::from(count), i128::from(total));
    let apart = n * squares - sum * sum;
    let deviation = if apart > 0 { true_division(apart, n * (n - 1)).sqrt() } else { 0.0 };
    let least = if mean > 1000.0 { mean / 10.0 } else { 100.0 };
    let z = (amount - mean) / if deviation > least { deviation } else { least };
    Ok([mean, deviation, amount / mean, z])
}

impl Habits {
    fn read(from: &mut Reader) -> Usual<Habits> {
        if from.array()? != 8 {
            return Err(Unusual);
        }
        let mut found = Habits { since: from.int()?, newest: from.int()?, ..Habits::default() };
        found.rings = match from.array()? {
            0 if from.array()? == 0 && from.array()? == 0 => None,
            10 => {
                let mut month = [0; 10];
                for each in &mut month {
                    *each = from.int()?;
                }
                Some((month, from.ints()?, from.ints()?))
            }
            _ => return Err(Unusual),
        };
        for _ in 0..from.array()? {
            if from.array()? != 3 {
                return Err(Unusual);
            }
            let (time, points, what) = (from.int()?, from.int()?, from.int()?);
            found.doubts.push(Doubt { time, points, what });
        }
        for _ in 0..from.array()? {
            if from.array()? != 5 {
                return Err(Unusual);
            }
            let (arrival, what, time) = (from.int()?, from.int()?, from.int()?);
            let (points, fraud) = (from.int()?, from.flag()?);
            found.labels.push(Told { arrival, what, time, points, fraud });
        }
        found.country = from.text()?.to_owned();
        Ok(found)
    }

    fn write(&self, out: &mut Vec<u8>) {
        pack::array(out, 8);
        pack::int(out, self.since);
        pack::int(out, self.newest);
        match &self.rings {
            None => (0..3).for_each(|_| pack::array(out, 0)),
            Some((month, squares, most)) => {
                for ring in [month, squares, most] {
                    pack::ints(out, ring);
                }
            }
        }
        pack::array(out, self.doubts.len());
        for doubt in &self.doubts {
            pack::ints(out, &[doubt.time, doubt.points, doubt.what]);
        }
        pack::array(out, self.labels.len());
        for told in &self.labels {
            pack::array(out, 5);
            for each in [told.arrival, told.what, told.time, told.points] {
                pack::int(out, each);
            }
            pack::flag(out, told.fraud);
        }
        pack::text(out, &self.country);
    }

    fn advance(
        &mut self,
        event: &Payment,
        amount: i64,
        hour: i64,
        row: &mut Vec<Value>,
    ) -> Usual<()> {
        let (time, bucket) = (event.time, event.time.div_euclid(THREE_DAYS));
        let (mut month, mut squares, mut most) = match self.rings {
            None => {
                (self.since, self.newest) = (time, time);
                Default::default()
            }
            Some(rings) => rings,
        };
        if time > self.newest {
            let (old, new) = (self.newest.div_euclid(THREE_DAYS), bucket);
            self.newest = time;
            for ring in [&mut month, &mut squares, &mut most] {
                roll(ring, old, new);
            }
        }
        let (count, total) = counted(&month)?;
        let mut sums: Sums = (count, total, squares.iter().map(|&each| i128::from(each)).sum());
        let mut fresh = 0;
        let newest = self.newest.div_euclid(THREE_DAYS);
        let oldest = (newest - BUCKETS + 1) * THREE_DAYS;
        for doubt in &self.doubts {
            if doubt.time > time - SETTLED {
                fresh += i64::from(doubt.time <= time);
            } else if doubt.time >= oldest {
                let points = i128::from(doubt.points);
                sums = (sums.0 + 1, sums.1 + doubt.points, sums.2 + points * points);
            }
        }
        let mut usual = compare(amount, sums)?;
        let doubtful = usual[3] >= FAR && usual[2] >= FAR && sums.0 >= ENOUGH;
        let mut frauds = 0;
        if !self.labels.is_empty() {
            let mut answered: Vec<Told> = Vec::new();
            for told in self.labels.iter().filter(|told| told.arrival <= time) {
                match answered.iter_mut().find(|other| other.what == told.what) {
                    Some(other) => *other = *told,
                    None => answered.push(*told),
                }
            }
            let fresh_ones = || self.doubts.iter().filter(|doubt| doubt.time > time - SETTLED);
            for told in answered.iter().filter(|told| told.fraud) {
                frauds += i64::from(time - 21 * DAY < told.time);
                let learned = told.time >= self.since
                    && told.time.div_euclid(THREE_DAYS) > newest - BUCKETS;
                if learned
                    && told.points != 0
                    && fresh_ones().all(|doubt| doubt.what != told.what)
                    && 0 < sums.0
                    && sums.0 <= sums.1 - told.points + 1
                {
                    let points = i128::from(told.points);
                    let left = (sums.2 - points * points).max(0);
                    sums = (sums.0 - 1, sums.1 - told.points, left);
                }
            }
            usual = compare(amount, sums)?;
            fresh = fresh_ones()
                .filter(|doubt| doubt.time <= time)
                .filter(|doubt| answered.iter().all(|told| told.what != doubt.what))
                .count() as i64;
        }
        let known = (time - self.since).div_euclid(HOUR) as f64 / 24.0;
        let known = match known {
            known if known <= 0.0 => 0.0,
            known if known < 30.0 => known,
            _ => 30.0,
        };
        let changed = !event.country.is_empty()
            && !self.country.is_empty()
            && event.country != self.country;
        row.extend([Float(known), Float(f64::from(hour < 7)), Int(sums.0)]);
        row.extend(usual.map(Float));
        row.extend([Int(most.iter().copied().max().unwrap_or(0)), Int(fresh), Int(frauds)]);
        row.push(Float(f64::from(changed)));
        if time == self.newest && !event.country.is_empty() && event.country != self.country {
            self.country = event.country.to_owned();
        }
        if time == self.newest || bucket > newest - BUCKETS {
            let at = bucket.rem_euclid(BUCKETS) as usize;
            most[at] = most[at].max(amount);
            if doubtful {
                let what = crate::digest(event.id, 7) as i64;
                let extra = (self.doubts.len() + 1).saturating_sub(DOUBTS);
                self.doubts.drain(..extra);
                self.doubts.push(Doubt { time, points: amount, what });
            } else if month[at] >> BITS < MOST_COUNT && (month[at] & SUM) + amount < MOST_SUM {
                month[at] += (1 << BITS) + amount;
                let square = i128::from(amount) * i128::from(amount);
                squares[at] = (i128::from(squares[at]) + square).min(MOST_SQUARES) as i64;
            }
        }
        self.rings = Some((month, squares, most));
        Ok(())
    }
}
