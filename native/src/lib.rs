//! The optional compiled core: what the state contract and the features of plain payments and of
//! turbofans are in Python, to the bit. What is unusual it leaves to the reference: of payments a
//! whole batch at a time, of readings a unit.

mod blend;
mod contributions;
mod decisions;
mod envelope;
mod exact;
mod fraud;
mod machines;
mod model;
mod msgpack;
mod suspects;
mod turbofan;
mod verdicts;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use decisions::{Common, Plain};
use envelope::{EPOCH_SHIFT, Envelope, Mark, Policy, REPLAYED, SCORED, Stretch, digest};
use fraud::{Payment, State, Value};
use msgpack::{self as pack, Unusual, Usual};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Of payments: by the rates and the policy that it is made with.
#[pyclass(frozen)]
struct FraudCore {
    euro: HashMap<String, i64>,
    common: Vec<String>,
    event: Py<PyAny>,
    row: Py<PyAny>,
    policy: Policy,
}

/// Why the reference decides a batch in its place.
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
    /// Whether it has the last word on verdicts, too.
    #[classattr]
    #[allow(non_upper_case_globals)]
    const settles: bool = false;

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
        let policy = Policy { lateness, horizon, memory, max_ids };
        FraudCore { euro, common, event, row, policy }
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
        let plain = Plain { row: &self.row, entity: intern!(scored.py(), "customer"), outcome: "approve" };
        decisions::rows(scored, features, verdicts, states, &Common { before, after }, &plain)
    }
}

impl FraudCore {
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
        let mut copies: Vec<(Bound<'py, PyAny>, Envelope<State>)> = Vec::new();
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
                    let envelope = Envelope::open(blob.as_bytes(), floor, State::read, State::default)?;
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
            let Some(is_misplaced) = copy.mark(at, offset) else {
                ends.push(REPLAYED);
                continue;
            };
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
            let end = copy.end(&self.policy, digest, checksum, time);
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
            given_up += copy.remembered(&self.policy, digest, checksum, time);
            misplaced.push(is_misplaced);
        }
        let mut blob = Vec::with_capacity(2048);
        let states = PyList::empty(py);
        for nth in order {
            let (name, envelope) = &copies[nth];
            envelope.write(&mut blob, State::write);
            states.append((name, PyBytes::new(py, &blob), envelope.stamp))?;
        }
        let made = (PyBytes::new(py, &ends), misplaced, details, rows, currencies, states, given_up);
        Ok(made.into_pyobject(py)?)
    }
}

pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Failed> {
    text.to_str().map_err(|_| Failed::Unusual)
}

#[pymodule]
fn stormwatch_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Of the reference that it was built beside: src/stormwatch/compiled.py.
    module.add("FINGERPRINT", option_env!("STORMWATCH_FINGERPRINT").unwrap_or(""))?;
    module.add_class::<FraudCore>()?;
    module.add_class::<machines::MachinesCore>()?;
    module.add_class::<machines::Units>()?;
    module.add_class::<blend::Blend>()?;
    module.add_class::<verdicts::Healthy>()?;
    module.add_class::<model::Trees>()?;
    module.add_class::<model::Distribution>()?;
    module.add_class::<contributions::Contributions>()?;
    module.add_function(wrap_pyfunction!(model::matrix, module)?)
}
