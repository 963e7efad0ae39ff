//! Batches of readings: turbofans are learned here; what is unusual of one unit is left to the
//! reference, for that unit. See `domains/maintenance/native.py`, which hands over what is Python's.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use crate::decisions::{self, Common, Plain};
use crate::envelope::{EPOCH_SHIFT, Envelope, Mark, Policy, REPLAYED, SCORED, Stretch, digest};
use crate::msgpack::{self as pack, Unusual};
use crate::turbofan::{Expected, N, NIL, Normal, Reading, Sensors, Unit};
use crate::{Failed, utf8};

/// What Python does for the core.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Reference {
    /// `Maintenance.advance`.
    advance: Py<PyAny>,
    /// Of a turbofan's state, its health and what is expected: what is kept of the health, the
    /// places of sensors that are left out, and what there is to say.
    look: Py<PyAny>,
    /// Of a reading, by how many seconds the clock is off and what there is to say.
    carry: Py<PyAny>,
    /// A state of its bytes, and the other way round.
    unpacked: Py<PyAny>,
    packed: Py<PyAny>,
    /// `alarms.settle`, of a state; and of the bytes of its alarm.
    settle: Py<PyAny>,
    settle_kept: Py<PyAny>,
    checksum: Py<PyAny>,
    reading: Py<PyAny>,
    row: Py<PyAny>,
}

/// A unit's state: here, or the reference's own object, once there was something unusual.
enum Body {
    Own(Box<Unit>),
    Reference(Py<PyAny>),
}

/// Of readings: by the type, the model's conditions and the policy that it is made with.
#[pyclass(frozen)]
pub struct MachinesCore {
    reference: Reference,
    normal: Normal,
    names: Vec<Py<PyString>>,
    /// Types of readings that are turbofans.
    worn: HashSet<String>,
    policy: Policy,
}

struct Taken<'py> {
    ends: Vec<u8>,
    misplaced: Vec<bool>,
    details: Bound<'py, PyList>,
    rows: Bound<'py, PyList>,
    carries: Bound<'py, PyList>,
    scored: Vec<usize>,
    given_up: i64,
}

#[pymethods]
impl MachinesCore {
    /// Whether it has the last word on verdicts, too.
    #[classattr]
    #[allow(non_upper_case_globals)]
    const settles: bool = true;

    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        reference: Reference,
        normal: Normal,
        names: Vec<Py<PyString>>,
        worn: HashSet<String>,
        lateness: i64,
        horizon: i64,
        memory: i64,
        max_ids: usize,
    ) -> PyResult<Self> {
        if !normal.is_sound() || names.len() != N {
            return Err(pyo3::exceptions::PyValueError::new_err("what is normal does not fit"));
        }
        let policy = Policy { lateness, horizon, memory, max_ids };
        Ok(MachinesCore { reference, normal, names, worn, policy })
    }

    /// As `FraudCore.take`; in place of the states `Units`, whose alarms are to be settled first.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (events, states, _tell, partition, epoch, believed))]
    fn take<'py>(
        slf: Bound<'py, Self>,
        events: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        _tell: &Bound<'py, PyAny>,
        partition: i64,
        epoch: i64,
        believed: Vec<Mark>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let py = slf.py();
        let at = Stretch { partition, epoch, believed };
        let mut units = Units { core: slf.clone().unbind(), copies: Vec::new(), order: Vec::new(), scored: Vec::new() };
        // A panic is a number that does not fit: nothing was done yet, and the reference has no bounds.
        let core = slf.get();
        let found = match catch_unwind(AssertUnwindSafe(|| core.batch(events, states, &at, &mut units))) {
            Ok(Ok(found)) => found,
            // The reference raises it again, where it says of which record.
            Ok(Err(Failed::Raised(error))) if !error.is_instance_of::<PyException>(py) => return Err(error),
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        units.scored = found.scored;
        let ends = PyBytes::new(py, &found.ends);
        let units = Bound::new(py, units)?;
        let Taken { misplaced, details, rows, carries, given_up, .. } = found;
        Ok(Some((ends, misplaced, details, rows, carries, units, given_up).into_pyobject(py)?))
    }

    /// As `FraudCore.decisions`.
    fn decisions<'py>(
        &self,
        scored: &Bound<'py, PyList>,
        features: &Bound<'py, PyList>,
        verdicts: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        before: &[u8],
        after: &[u8],
    ) -> PyResult<Bound<'py, PyList>> {
        let entity = intern!(scored.py(), "unit");
        let plain = Plain { row: &self.reference.row, entity, outcome: "healthy" };
        decisions::rows(scored, features, verdicts, states, &Common { before, after }, &plain)
    }
}

/// The units of a batch.
#[pyclass]
pub struct Units {
    core: Py<MachinesCore>,
    copies: Vec<(Py<PyAny>, Envelope<Body>)>,
    /// Those that were touched, as they were.
    order: Vec<usize>,
    /// Of each reading that was scored its unit.
    scored: Vec<usize>,
}

#[pymethods]
impl Units {
    /// `_Batch._verdicts`: the last word on each verdict.
    fn settled<'py>(
        &mut self,
        events: &Bound<'py, PyList>,
        verdicts: &Bound<'py, PyList>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = events.py();
        let core = self.core.bind(py).clone();
        let reference = &core.get().reference;
        let made = PyList::empty(py);
        for ((event, verdict), &unit) in events.iter().zip(verdicts).zip(&self.scored) {
            match &mut self.copies[unit].1.body {
                Body::Reference(state) => {
                    made.append(reference.settle.bind(py).call1((&*state, event, verdict))?)?;
                }
                Body::Own(unit) => {
                    let outcome = verdict.cast::<PyTuple>().map_err(PyErr::from)?.get_item(0)?;
                    // Readings that are learned here are no events.
                    if unit.alarm == NIL && outcome.cast::<PyString>().is_ok_and(|told| told == "healthy") {
                        made.append(verdict)?;
                        continue;
                    }
                    let kept = PyBytes::new(py, &unit.alarm);
                    let settle = reference.settle_kept.bind(py);
                    let (alarm, verdict): (Bound<'_, PyBytes>, Bound<'_, PyAny>) = settle.call1((kept, event, verdict))?.extract()?;
                    unit.alarm = alarm.as_bytes().to_vec();
                    made.append(verdict)?;
                }
            }
        }
        Ok(made)
    }

    /// The states that were touched, with their stamps.
    fn states<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let reference = &self.core.get().reference;
        let (found, mut blob) = (PyList::empty(py), Vec::with_capacity(8192));
        for &nth in &self.order {
            let (name, envelope) = &self.copies[nth];
            let told = match &envelope.body {
                Body::Own(_) => None,
                Body::Reference(state) => Some(reference.packed.bind(py).call1((state,))?.cast_into::<PyBytes>().map_err(PyErr::from)?),
            };
            envelope.write(&mut blob, |body, out| match (body, &told) {
                (Body::Own(unit), _) => unit.write(out),
                (_, Some(told)) => out.extend_from_slice(told.as_bytes()),
                _ => {}
            });
            found.append((name, PyBytes::new(py, &blob), envelope.stamp))?;
        }
        Ok(found)
    }
}

impl MachinesCore {
    fn batch<'py>(
        &self,
        events: &Bound<'py, PyList>,
        states: &Bound<'py, PyDict>,
        at: &Stretch,
        units: &mut Units,
    ) -> Result<Taken<'py>, Failed> {
        if !(0..1 << 14).contains(&at.epoch) {
            return Err(Failed::Unusual);
        }
        let py = events.py();
        let kind = self.reference.reading.bind(py);
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut taken = Taken {
            ends: Vec::new(),
            misplaced: Vec::new(),
            details: PyList::empty(py),
            rows: PyList::empty(py),
            carries: PyList::empty(py),
            scored: Vec::new(),
            given_up: 0,
        };
        let (mut content, mut settings) = (Vec::new(), Vec::new());
        for item in events {
            let item = item.cast::<PyTuple>()?.clone();
            let offset: i64 = item.get_borrowed_item(0)?.extract()?;
            let event = item.get_item(2)?;
            let usual = event.get_type().is(kind) && !event.getattr(intern!(py, "learn_only"))?.is_truthy()?;
            if !usual || !(0..(1 << EPOCH_SHIFT) - 1).contains(&offset) {
                return Err(Failed::Unusual);
            }
            macro_rules! part {
                ($name:literal, $kind:ty) => {
                    event.getattr(intern!(py, $name))?.cast_into::<$kind>().map_err(|_| Failed::Unusual)?
                };
            }
            let (id, unit, equipment) = (part!("id", PyString), part!("unit", PyString), part!("equipment", PyString));
            let (id, name, equipment) = (utf8(&id)?, utf8(&unit)?, utf8(&equipment)?);
            let time: i64 = event.getattr(intern!(py, "time"))?.extract().map_err(|_| Failed::Unusual)?;
            if !(0..1 << 32).contains(&time.div_euclid(1000)) {
                return Err(Failed::Unusual);
            }
            let is_reading = event.getattr(intern!(py, "event"))?.is_none();
            let cycle: i64 = event.getattr(intern!(py, "cycle"))?.extract().map_err(|_| Failed::Unusual)?;
            let nth = match known.get(name) {
                Some(&nth) => nth,
                None => {
                    let nth = units.copies.len();
                    let envelope = self.open(&unit, states)?;
                    if envelope.touched {
                        units.order.push(nth);
                    }
                    units.copies.push((unit.clone().into_any().unbind(), envelope));
                    known.insert(name.to_owned(), nth);
                    nth
                }
            };
            let copy = &mut units.copies[nth].1;
            let Some(is_misplaced) = copy.mark(at, offset) else {
                taken.ends.push(REPLAYED);
                continue;
            };
            if !copy.touched {
                copy.touched = true;
                units.order.push(nth);
            }
            let sensors = part!("sensors", PyDict);
            floats(&part!("settings", PyTuple), &mut settings)?;
            let checksum = if is_reading && equipment.is_empty() {
                content.clear();
                pack::array(&mut content, 6);
                pack::text(&mut content, id);
                pack::text(&mut content, name);
                pack::int(&mut content, time);
                pack::int(&mut content, cycle);
                pack::array(&mut content, settings.len());
                for &each in &settings {
                    pack::float(&mut content, each);
                }
                pack::map(&mut content, sensors.len());
                for (name, value) in &sensors {
                    pack::text(&mut content, utf8(name.cast::<PyString>()?)?);
                    pack::float(&mut content, value.cast::<PyFloat>()?.value());
                }
                crc32fast::hash(&content)
            } else {
                self.reference.checksum.bind(py).call1((&event,))?.extract()?
            };
            let digest = digest(id, 8);
            let newest = copy.newest;
            let end = copy.end(&self.policy, digest, checksum, time);
            taken.ends.push(end);
            if end != SCORED {
                taken.details.append(newest)?;
                continue;
            }
            let is_worn = is_reading && self.worn.contains(equipment);
            let made = match &mut copy.body {
                Body::Own(unit) if is_worn => {
                    match self.worn(unit, &event, &sensors, time, cycle, &settings) {
                        Err(Failed::Unusual) => None,
                        found => Some(found?),
                    }
                }
                _ => None,
            };
            let (row, carry) = match made {
                Some(made) => made,
                None => self.by_reference(&mut copy.body, &event)?,
            };
            taken.rows.append(row)?;
            taken.carries.append(carry)?;
            taken.scored.push(nth);
            taken.given_up += copy.remembered(&self.policy, digest, checksum, time);
            taken.misplaced.push(is_misplaced);
        }
        Ok(taken)
    }

    fn open(&self, unit: &Bound<'_, PyString>, states: &Bound<'_, PyDict>) -> Result<Envelope<Body>, Failed> {
        let py = unit.py();
        let entry = states.get_item(unit)?.ok_or(Failed::Unusual)?;
        let blob = entry.getattr(intern!(py, "blob"))?.cast_into::<PyBytes>().map_err(|_| Failed::Unusual)?;
        let floor: i64 = entry.getattr(intern!(py, "floor"))?.extract()?;
        let unpacked = |data: &[u8]| self.reference.unpacked.bind(py).call1((PyBytes::new(py, data),));
        let opened = Envelope::open(
            blob.as_bytes(),
            floor,
            |from| {
                let data = from.raw()?;
                match Unit::read(data) {
                    Ok(unit) => Ok(Body::Own(Box::new(unit))),
                    // One that cannot be read at all is told of by the reference.
                    Err(Unusual) => Ok(Body::Reference(unpacked(data).map_err(|_| Unusual)?.unbind())),
                }
            },
            || Body::Own(Box::default()),
        )?;
        Ok(opened)
    }

    /// Learns a reading of a turbofan; features and carry.
    fn worn<'py>(
        &self,
        unit: &mut Unit,
        event: &Bound<'py, PyAny>,
        sensors: &Bound<'py, PyDict>,
        time: i64,
        cycle: i64,
        settings: &[f64],
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>), Failed> {
        let py = event.py();
        let (mut values, mut absent): (Sensors, bool) = ([f64::NAN; N], false);
        for (value, name) in values.iter_mut().zip(&self.names) {
            match sensors.get_item(name)? {
                Some(found) => {
                    *value = found.cast::<PyFloat>()?.value();
                    if value.is_nan() {
                        return Err(Failed::Unusual);
                    }
                }
                None => absent = true,
            }
        }
        let reading = Reading { time, cycle, settings, values, absent };
        let mut told = None;
        let (row, skew) = unit.advance(&self.normal, &reading, |health, expected| {
            let (kept, out, found) = self.look(py, health, sensors, expected)?;
            told = found;
            Ok::<_, Failed>((kept, out))
        })?;
        let row = PyTuple::new(py, row)?.into_any();
        let carry = if skew != 0.0 || told.is_some() {
            self.reference.carry.bind(py).call1((event, skew, told))?
        } else {
            py.None().into_bound(py)
        };
        Ok((row, carry))
    }

    #[allow(clippy::type_complexity)]
    fn look<'py>(
        &self,
        py: Python<'py>,
        health: &[u8],
        sensors: &Bound<'py, PyDict>,
        expected: &Expected,
    ) -> Result<(Vec<u8>, [bool; N], Option<Bound<'py, PyAny>>), Failed> {
        let Expected { centre, baseline, sigma, last, drift } = expected;
        let known = (PyBytes::new(py, health), sensors, *centre, *baseline, *sigma, *last, *drift);
        let found = self.reference.look.bind(py).call1(known)?;
        let (kept, places, told): (Bound<'py, PyBytes>, Vec<usize>, Option<Bound<'py, PyAny>>) = found.extract()?;
        let mut out = [false; N];
        for place in places {
            out[place] = true;
        }
        Ok((kept.as_bytes().to_vec(), out, told))
    }

    fn by_reference<'py>(
        &self,
        body: &mut Body,
        event: &Bound<'py, PyAny>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>), Failed> {
        let py = event.py();
        if let Body::Own(unit) = body {
            let mut data = Vec::with_capacity(8192);
            unit.write(&mut data);
            let state = self.reference.unpacked.bind(py).call1((PyBytes::new(py, &data),))?;
            *body = Body::Reference(state.unbind());
        }
        let Body::Reference(state) = body else { return Err(Failed::Unusual) };
        Ok(self.reference.advance.bind(py).call1((&*state, event))?.extract()?)
    }
}

fn floats(values: &Bound<'_, PyTuple>, found: &mut Vec<f64>) -> Result<(), Failed> {
    found.clear();
    for value in values.iter_borrowed() {
        found.push(value.cast::<PyFloat>()?.value());
    }
    Ok(())
}
