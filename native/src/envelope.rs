//! What is kept of an entity around its domain's state, and what it says of a record: the state
//! contract, `state/envelope.py` and `_Batch._take` of `state/processor.py`.

use crate::msgpack::{self as pack, Reader, Unusual, Usual};

pub type Mark = (i64, i64, i64);

const ID: usize = 16;
const MARKS_MAX: usize = 32;
const RESIZE_BITS: u32 = 5;
pub const EPOCH_SHIFT: u32 = 36;

/// Ends of a record; the caller knows them by these numbers.
pub const SCORED: u8 = 0;
pub const REPLAYED: u8 = 1;
pub const DUPLICATE: u8 = 2;
pub const CONFLICT: u8 = 3;
pub const LATE: u8 = 4;
pub const FORGOTTEN: u8 = 5;

pub fn digest(text: &str, bytes: usize) -> u64 {
    let hash = blake2b_simd::Params::new().hash_length(bytes).hash(text.as_bytes());
    let mut found = [0; 8];
    found[..bytes].copy_from_slice(hash.as_bytes());
    u64::from_le_bytes(found)
}

pub struct Envelope<S> {
    pub stamp: i64,
    pub marks: Vec<Mark>,
    pub newest: i64,
    pub ids: Vec<u8>,
    pub body: S,
    pub floor: i64,
    pub touched: bool,
}

/// Of lateness and duplicates: `processor.Policy`.
pub struct Policy {
    pub lateness: i64,
    pub horizon: i64,
    pub memory: i64,
    pub max_ids: usize,
}

impl<S> Envelope<S> {
    /// Of a stored state, or of an entity never seen.
    pub fn open(
        blob: &[u8],
        floor: i64,
        body: impl FnOnce(&mut Reader) -> Usual<S>,
        new: impl FnOnce() -> S,
    ) -> Usual<Envelope<S>> {
        if blob.is_empty() {
            let (marks, ids, body) = (Vec::new(), Vec::new(), new());
            return Ok(Envelope { stamp: floor, marks, newest: 0, ids, body, floor: 0, touched: false });
        }
        let mut envelope = Envelope::read(blob, body)?;
        if floor != 0 {
            envelope.stamp = envelope.stamp.max(floor + 1);
            envelope.touched = true;
        }
        Ok(envelope)
    }

    /// Takes a record: whether it is misplaced; None where it was decided before.
    pub fn mark(&mut self, at: &Stretch, offset: i64) -> Option<bool> {
        if self.is_decided(at, offset) {
            return None;
        }
        let last = self.marks.last();
        let is_misplaced = last.is_some_and(|mark| mark.0 != at.partition && mark.1 == at.epoch);
        self.advance_marks(at, offset);
        self.stamp = (self.stamp + 1).max(at.epoch << EPOCH_SHIFT | (offset + 1));
        Some(is_misplaced)
    }

    /// How a record that was taken ends, before anything is learned of it.
    pub fn end(&self, policy: &Policy, digest: u64, checksum: u32, time: i64) -> u8 {
        let seconds = time.div_euclid(1000);
        let oldest = (self.newest - policy.horizon).div_euclid(1000);
        let found = self.find_id(digest).filter(|found| found.1 >= oldest || found.1 == seconds);
        match found {
            Some(found) if found.0 == checksum => DUPLICATE,
            Some(_) => CONFLICT,
            None if time < self.newest - policy.lateness => LATE,
            None if seconds < self.floor && time <= self.newest => FORGOTTEN,
            None => SCORED,
        }
    }

    /// Of a record that was scored; how many ids had to go before their time.
    pub fn remembered(&mut self, policy: &Policy, digest: u64, checksum: u32, time: i64) -> i64 {
        self.newest = self.newest.max(time);
        let oldest = (self.newest - policy.memory).div_euclid(1000);
        let seconds = time.div_euclid(1000);
        let (gone, floor) = self.remember(digest, checksum, seconds, oldest, policy.max_ids);
        if gone > 0 {
            self.floor = self.floor.max(floor);
        }
        gone
    }

    fn read(blob: &[u8], body: impl FnOnce(&mut Reader) -> Usual<S>) -> Usual<Envelope<S>> {
        let mut from = Reader::new(blob);
        let fields = from.array()?;
        if !(6..=7).contains(&fields) || from.int()? != 1 {
            return Err(Unusual);
        }
        let stamp = from.int()?;
        let mut marks = Vec::new();
        for _ in 0..from.array()? {
            let [partition, epoch, offset] = from.ints()?;
            marks.push((partition, epoch, offset));
        }
        let (newest, ids) = (from.int()?, from.bytes()?.to_vec());
        let body = body(&mut from)?;
        let floor = if fields == 7 { from.int()? } else { 0 };
        if !from.is_done() || ids.len() % ID != 0 {
            return Err(Unusual);
        }
        Ok(Envelope { stamp, marks, newest, ids, body, floor, touched: false })
    }

    pub fn write(&self, out: &mut Vec<u8>, body: impl FnOnce(&S, &mut Vec<u8>)) {
        out.clear();
        pack::array(out, if self.floor == 0 { 6 } else { 7 });
        pack::int(out, 1);
        pack::int(out, self.stamp);
        pack::array(out, self.marks.len());
        for &(partition, epoch, offset) in &self.marks {
            pack::ints(out, &[partition, epoch, offset]);
        }
        pack::int(out, self.newest);
        pack::bytes(out, &self.ids);
        body(&self.body, out);
        if self.floor != 0 {
            pack::int(out, self.floor);
        }
    }

    fn is_decided(&self, at: &Stretch, offset: i64) -> bool {
        self.marks.iter().any(|&(partition, epoch, mark)| {
            let number = epoch >> RESIZE_BITS;
            partition == at.partition
                && mark >= offset
                && (number == at.epoch >> RESIZE_BITS
                    || at.believed.iter().any(|&(each, low, high)| {
                        each == number && low <= offset && offset < high
                    }))
        })
    }

    fn advance_marks(&mut self, at: &Stretch, offset: i64) {
        self.marks.retain(|&(partition, epoch, _)| {
            partition != at.partition || epoch >> RESIZE_BITS != at.epoch >> RESIZE_BITS
        });
        let extra = (self.marks.len() + 1).saturating_sub(MARKS_MAX);
        self.marks.drain(..extra);
        self.marks.push((at.partition, at.epoch, offset));
    }

    /// Checksum and second of the youngest id of that digest.
    fn find_id(&self, digest: u64) -> Option<(u32, i64)> {
        let known = self.ids.chunks_exact(ID).rev();
        known.into_iter().find(|id| id[..8] == digest.to_le_bytes()).map(|id| (word(id, 8), second(id)))
    }

    /// How many ids had to go before their time, and the second after the youngest of these.
    fn remember(&mut self, digest: u64, checksum: u32, seconds: i64, oldest: i64, limit: usize) -> (i64, i64) {
        let ids = &mut self.ids;
        let outdated = ids.chunks_exact(ID).take_while(|id| second(id) < oldest).count();
        ids.drain(..outdated * ID);
        let later = ids.chunks_exact(ID).rev().take_while(|id| second(id) > seconds).count();
        let at = ids.len() - later * ID;
        let mut id = [0; ID];
        id[..8].copy_from_slice(&digest.to_le_bytes());
        id[8..12].copy_from_slice(&checksum.to_le_bytes());
        id[12..].copy_from_slice(&(seconds as u32).to_le_bytes());
        ids.splice(at..at, id);
        let extra = (ids.len() / ID).saturating_sub(limit);
        let Some(youngest) = ids.chunks_exact(ID).take(extra).map(second).max() else {
            return (0, 0);
        };
        ids.drain(..extra * ID);
        (extra as i64, youngest + 1)
    }
}

fn word(id: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([id[at], id[at + 1], id[at + 2], id[at + 3]])
}

fn second(id: &[u8]) -> i64 {
    i64::from(word(id, 12))
}

/// Where a batch stands in its log.
pub struct Stretch {
    pub partition: i64,
    pub epoch: i64,
    pub believed: Vec<Mark>,
}
