//! The optional compiled core: what the state contract and the features of plain payments are in
//! Python, to the bit. What is unusual it leaves to the reference, a whole batch at a time.

mod contributions;
mod decisions;
mod exact;
mod fraud;
mod model;
mod msgpack;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use decisions::{Common, Scored};
use fraud::{Payment, State, Value};
use msgpack::{self as pack, Reader, Unusual, Usual};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

type Mark = (i64, i64, i64);

const ID: usize = 16;
const MARKS_MAX: usize = 32;
const RESIZE_BITS: u32 = 5;
const EPOCH_SHIFT: u32 = 36;

/// Ends of a record; the caller knows them by these numbers.
const SCORED: u8 = 0;
const REPLAYED: u8 = 1;
const DUPLICATE: u8 = 2;
const CONFLICT: u8 = 3;
const LATE: u8 = 4;
const FORGOTTEN: u8 = 5;

pub fn digest(text: &str, bytes: usize) -> u64 {
    let hash = blake2b_simd::Params::new().hash_length(bytes).hash(text.as_bytes());
    let mut found = [0; 8];
    found[..bytes].copy_from_slice(hash.as_bytes());
    u64::from_le_bytes(found)
}

struct Envelope {
    stamp: i64,
    marks: Vec<Mark>,
    newest: i64,
    ids: Vec<u8>,
    body: State,
    floor: i64,
    touched: bool,
}

impl Envelope {
    fn read(blob: &[u8]) -> Usual<Envelope> {
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
        let body = State::read(&mut from)?;
        let floor = if fields == 7 { from.int()? } else { 0 };
        if !from.is_done() || ids.len() % ID != 0 {
            return Err(Unusual);
        }
        Ok(Envelope { stamp, marks, newest, ids, body, floor, touched: false })
    }

    fn write(&self, out: &mut Vec<u8>) {
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
        self.body.write(out);
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

struct Stretch {
    partition: i64,
    epoch: i64,
    believed: Vec<Mark>,
}

/// Of payments: by the rates and the policy that it is made with.
#[pyclass(frozen)]
struct FraudCore {
    euro: HashMap<String, i64>,
    common: Vec<String>,
    event: Py<PyAny>,
    row: Py<PyAny>,
    lateness: i64,
    horizon: i64,
    memory: i64,
    max_ids: usize,
}

enum Failed {
    Unusual,
    Raised(PyErr),
}
impl From<Unusual> for Failed {
    fn from(_: Unusual) -> Self {
        Failed::Unusual
    }
}
impl From<PyErr> for Failed {
    fn from(error: PyErr) -> Self {
        Failed::Raised(error)
    }
}
impl From<pyo3::DowncastError<'_, '_>> for Failed {
    fn from(_: pyo3::DowncastError<'_, '_>) -> Self {
        Failed::Unusual
    }
}

#[pymethods]
impl FraudCore {
    #[new]
    fn new(
        event: Py<PyAny>,
        row: Py<PyAny>,
        euro: HashMap<String, i64>,
        common: Vec<String>,
        lateness: i64,
        horizon: i64,
        memory: i64,
        max_ids: usize,
    ) -> Self {
        FraudCore { euro, common, event, row, lateness, horizon, memory, max_ids }
    }

    /// A batch: `(ends, misplaced, details, rows, currencies, states, given_up)`, or None of one
    /// with something unusual in it, of which nothing is done.
    #[allow(clippy::too_many_arguments)]
    fn take<'py>(
        &self,
        py: Python<'py>,
        events: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        tell: &Bound<'py, PyAny>,
        partition: i64,
        epoch: i64,
        believed: Vec<Mark>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let at = Stretch { partition, epoch, believed };
        // A panic is a number that does not fit: nothing was done yet, and the reference has no bounds.
        match catch_unwind(AssertUnwindSafe(|| self.batch(py, events, states, tell, &at))) {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(Failed::Raised(error))) => Err(error),
            Ok(Err(Failed::Unusual)) | Err(_) => Ok(None),
        }
    }

    /// The rows of `decisions` of a batch; None in the place of one that is not plain. `before` and
    /// `after`: JSON that the bodies have in common, see `decisions::Common`.
    fn decisions<'py>(
        &self,
        scored: &Bound<'py, PyList>,
        features: &Bound<'py, PyList>,
        verdicts: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        before: &[u8],
        after: &[u8],
    ) -> PyResult<Bound<'py, PyList>> {
        let common = Common { before, after };
        let (found, mut body) = (PyList::empty(scored.py()), Vec::with_capacity(2048));
        for ((one, row), verdict) in scored.iter().zip(features).zip(verdicts) {
            match self.decision(&one, &row, &verdict, states, &common, &mut body) {
                Ok(row) => found.append(row)?,
                Err(Failed::Unusual) => found.append(scored.py().None())?,
                Err(Failed::Raised(error)) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// Where a `judge.Verdict` has what.
const OUTCOME: usize = 0;
const SCORE: usize = 1;
const DEGRADED: usize = 3;
const RATES: usize = 12;
/// Of a plain one these say nothing: reasons, shadow, explanations; by, alert, learned, interval.
const EMPTY: [usize; 3] = [2, 9, 11];
const NONE: [usize; 4] = [5, 6, 7, 8];
const APPROVED: &str = "approve";

impl FraudCore {
    fn decision<'py>(
        &self,
        one: &Bound<'py, PyAny>,
        features: &Bound<'py, PyAny>,
        verdict: &Bound<'py, PyAny>,
        states: &Bound<'py, PyDict>,
        common: &Common,
        body: &mut Vec<u8>,
    ) -> Result<Bound<'py, PyAny>, Failed> {
        let py = one.py();
        let (one, verdict) = (one.cast::<PyTuple>()?, verdict.cast::<PyTuple>()?);
        let told = |at: usize| verdict.get_borrowed_item(at);
        let (outcome, score) = (told(OUTCOME)?, told(SCORE)?);
        if outcome.cast::<PyString>()?.to_str().ok() != Some(APPROVED) || told(DEGRADED)?.is_truthy()? {
            return Err(Failed::Unusual);
        }
        for at in EMPTY {
            if told(at)?.is_truthy()? {
                return Err(Failed::Unusual);
            }
        }
        for at in NONE {
            if !told(at)?.is_none() {
                return Err(Failed::Unusual);
            }
        }
        let rates = told(RATES)?.to_owned().cast_into::<PyString>().map_err(|_| Failed::Unusual)?;
        let event = one.get_item(2)?;
        if !one.get_borrowed_item(4)?.is_none() {
            return Err(Failed::Unusual);
        }
        let text = |name: &Bound<'py, PyString>| -> Result<Bound<'py, PyString>, Failed> {
            event.getattr(name)?.cast_into::<PyString>().map_err(|_| Failed::Unusual)
        };
        let (id, entity) = (text(intern!(py, "id"))?, text(intern!(py, "customer"))?);
        let (timestamp, time) = (one.get_item(1)?, event.getattr(intern!(py, "time"))?);
        let scored = Scored {
            id: utf8(&id)?,
            entity: utf8(&entity)?,
            time: time.extract()?,
            offset: one.get_borrowed_item(0)?.extract()?,
            timestamp: timestamp.extract()?,
            misplaced: one.get_borrowed_item(3)?.is_truthy()?,
            features: features.cast::<PyTuple>()?,
            score: &score,
            rates: utf8(&rates)?,
        };
        decisions::body(body, common, &scored).ok_or(Failed::Unusual)?;
        let entry = states.get_item(&entity)?.ok_or(Failed::Unusual)?;
        let stripe = entry.getattr(intern!(py, "stripe"))?;
        let body = PyBytes::new(py, body);
        let row = (stripe, &entity, time, &id, &outcome, &score, body, timestamp, false);
        Ok(self.row.bind(py).call1(row)?)
    }

    fn hundred(&self, currency: &str) -> i64 {
        if self.common.iter().any(|each| each == currency) {
            return 100;
        }
        self.euro.get(currency).copied().unwrap_or(100)
    }

    fn points(&self, minor: i64, currency: &str, other: &str) -> Usual<i64> {
        let (minor, hundred) = (i128::from(minor), i128::from(self.hundred(other)));
        let found = if currency == other {
            if hundred == 100 { minor } else { (minor * 100 / hundred).max(1) }
        } else {
            let worth = minor * i128::from(self.euro.get(other).copied().unwrap_or(100)) * 100;
            let own = i128::from(self.euro.get(currency).copied().unwrap_or(100));
            (worth / (own * hundred)).max(1)
        };
        i64::try_from(found).map_err(|_| Unusual)
    }

    fn batch<'py>(
        &self,
        py: Python<'py>,
        events: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        tell: &Bound<'py, PyAny>,
        at: &Stretch,
    ) -> Result<Bound<'py, PyTuple>, Failed> {
        if !(0..1 << 14).contains(&at.epoch) {
            return Err(Failed::Unusual);
        }
        let kind = self.event.bind(py);
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut copies: Vec<(Bound<'py, PyAny>, Envelope)> = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        let (mut ends, mut misplaced) = (Vec::new(), Vec::new());
        let (rows, currencies) = (PyList::empty(py), PyList::empty(py));
        let details = PyList::empty(py);
        let mut given_up = 0;
        let (mut row, mut content) = (Vec::with_capacity(64), Vec::new());
        for item in events {
            let item = item.cast::<PyTuple>()?.clone();
            let offset: i64 = item.get_borrowed_item(0)?.extract()?;
            let event = item.get_item(2)?;
            let plain = event.get_type().is(kind)
                && event.getattr(intern!(py, "more"))?.is_none()
                && event.getattr(intern!(py, "label"))?.is_none()
                && !event.getattr(intern!(py, "learn_only"))?.is_truthy()?;
            if !plain || !(0..(1 << EPOCH_SHIFT) - 1).contains(&offset) {
                return Err(Failed::Unusual);
            }
            macro_rules! text {
                ($name:literal) => {
                    event.getattr(intern!(py, $name))?.cast_into::<PyString>().map_err(|_| Failed::Unusual)?
                };
            }
            let number = |name| -> Result<i64, Failed> {
                event.getattr(name)?.extract().map_err(|_| Failed::Unusual)
            };
            let (id, customer, terminal) = (text!("id"), text!("customer"), text!("terminal"));
            let (currency, merchant) = (text!("currency"), text!("merchant"));
            let country = text!("country");
            let (id, name) = (utf8(&id)?, utf8(&customer)?);
            let (currency, country) = (utf8(&currency)?, utf8(&country)?);
            let time = number(intern!(py, "time"))?;
            let amount = number(intern!(py, "amount"))?;
            let seconds = time.div_euclid(1000);
            if !self.euro.contains_key(currency) || !(0..1 << 32).contains(&seconds) {
                return Err(Failed::Unusual);
            }
            let nth = match known.get(name) {
                Some(&nth) => nth,
                None => {
                    let entry = states.get_item(&customer)?.ok_or(Failed::Unusual)?;
                    let blob = entry.getattr(intern!(py, "blob"))?.cast_into::<PyBytes>().map_err(|_| Failed::Unusual)?;
                    let floor: i64 = entry.getattr(intern!(py, "floor"))?.extract()?;
                    let envelope = open(blob.as_bytes(), floor)?;
                    let nth = copies.len();
                    if envelope.touched {
                        order.push(nth);
                    }
                    copies.push((customer.clone().into_any(), envelope));
                    known.insert(name.to_owned(), nth);
                    nth
                }
            };
            let copy = &mut copies[nth].1;
            if copy.is_decided(at, offset) {
                ends.push(REPLAYED);
                continue;
            }
            let last = copy.marks.last();
            let is_misplaced = last.is_some_and(|mark| mark.0 != at.partition && mark.1 == at.epoch);
            copy.advance_marks(at, offset);
            copy.stamp = (copy.stamp + 1).max(at.epoch << EPOCH_SHIFT | (offset + 1));
            if !copy.touched {
                copy.touched = true;
                order.push(nth);
            }
            content.clear();
            pack::array(&mut content, 8);
            for each in [id, name, utf8(&terminal)?] {
                pack::text(&mut content, each);
            }
            pack::int(&mut content, time);
            pack::int(&mut content, amount);
            for each in [currency, utf8(&merchant)?, country] {
                pack::text(&mut content, each);
            }
            let (digest, checksum) = (digest(id, 8), crc32fast::hash(&content));
            let newest = copy.newest;
            let oldest = (newest - self.horizon).div_euclid(1000);
            let found = copy.find_id(digest).filter(|found| found.1 >= oldest || found.1 == seconds);
            let end = match found {
                Some(found) if found.0 == checksum => DUPLICATE,
                Some(_) => CONFLICT,
                None if time < newest - self.lateness => LATE,
                None if seconds < copy.floor && time <= newest => FORGOTTEN,
                None => SCORED,
            };
            ends.push(end);
            if end != SCORED {
                details.append(newest)?;
                continue;
            }
            row.clear();
            let utc_offset = number(intern!(py, "utc_offset"))?;
            let payment = Payment { id, time, currency, country, utc_offset };
            let points = |other: &str| self.points(amount, currency, other);
            copy.body.advance(&payment, points, &mut row)?;
            row.extend([Value::Float(0.0); 3]);
            let told = tell.call1((&event,))?.cast_into::<PyTuple>().map_err(|_| Failed::Unusual)?;
            let features = row.iter().map(|value| match *value {
                Value::Int(value) => PyInt::new(py, value).into_any(),
                Value::Float(value) => PyFloat::new(py, value).into_any(),
            });
            let features: Vec<_> = features.chain(told.iter()).collect();
            rows.append(PyTuple::new(py, features)?)?;
            currencies.append(PyString::intern(py, &copy.body.currency))?;
            copy.newest = newest.max(time);
            let outdated = (copy.newest - self.memory).div_euclid(1000);
            let (gone, floor) = copy.remember(digest, checksum, seconds, outdated, self.max_ids);
            if gone > 0 {
                copy.floor = copy.floor.max(floor);
                given_up += gone;
            }
            misplaced.push(is_misplaced);
        }
        let mut blob = Vec::with_capacity(2048);
        let states = PyList::empty(py);
        for nth in order {
            let (name, envelope) = &copies[nth];
            envelope.write(&mut blob);
            states.append((name, PyBytes::new(py, &blob), envelope.stamp))?;
        }
        let made = (PyBytes::new(py, &ends), misplaced, details, rows, currencies, states, given_up);
        Ok(made.into_pyobject(py)?)
    }
}

fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Failed> {
    text.to_str().map_err(|_| Failed::Unusual)
}

fn open(blob: &[u8], floor: i64) -> Usual<Envelope> {
    if blob.is_empty() {
        let (marks, ids, body) = (Vec::new(), Vec::new(), State::default());
        return Ok(Envelope { stamp: floor, marks, newest: 0, ids, body, floor: 0, touched: false });
    }
    let mut envelope = Envelope::read(blob)?;
    if floor != 0 {
        envelope.stamp = envelope.stamp.max(floor + 1);
        envelope.touched = true;
    }
    Ok(envelope)
}

#[pymodule]
fn stormwatch_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Of the reference that it was built beside: src/stormwatch/compiled.py.
    module.add("FINGERPRINT", option_env!("STORMWATCH_FINGERPRINT").unwrap_or(""))?;
    module.add_class::<FraudCore>()?;
    module.add_class::<model::Trees>()?;
    module.add_class::<model::Distribution>()?;
    module.add_class::<contributions::Contributions>()?;
    module.add_function(wrap_pyfunction!(model::matrix, module)?)
}
