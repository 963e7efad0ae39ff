//! Bodies of plain decisions, as msgspec writes the JSON of `records.Decision`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::{Failed, utf8};

/// A text in quotes; None where a character has to be escaped.
fn text(out: &mut Vec<u8>, value: &str) -> Option<()> {
    if value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return None;
    }
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
    Some(())
}

fn int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn number(out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> Option<()> {
    if value.is_exact_instance_of::<PyFloat>() {
        float(out, value.extract().ok()?)
    } else if value.is_exact_instance_of::<PyInt>() {
        int(out, value.extract().ok()?);
        Some(())
    } else {
        None
    }
}

fn float(out: &mut Vec<u8>, value: f64) -> Option<()> {
    if !value.is_finite() {
        return None;
    }
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    Some(())
}

/// What all decisions of a batch have in common, as JSON: `"feature_set":…` up to `"offset":`, and
/// what comes after `misplaced` but for the rates.
pub struct Common<'a> {
    pub before: &'a [u8],
    pub after: &'a [u8],
}

/// Of one: as `_Batch._scored` has it, its features, and the verdict.
pub struct Scored<'a, 'py> {
    pub id: &'a str,
    pub entity: &'a str,
    pub time: i64,
    pub offset: i64,
    pub timestamp: i64,
    pub misplaced: bool,
    pub features: &'a Bound<'py, PyTuple>,
    pub score: &'a Bound<'py, PyAny>,
    pub outcome: &'a str,
    pub interval: Option<(f64, f64)>,
    pub rates: &'a str,
}

/// None where it is for the reference.
pub fn body(out: &mut Vec<u8>, common: &Common, one: &Scored) -> Option<()> {
    out.clear();
    out.extend_from_slice(b"{\"id\":");
    text(out, one.id)?;
    out.extend_from_slice(b",\"entity\":");
    text(out, one.entity)?;
    out.extend_from_slice(b",\"time\":");
    int(out, one.time);
    out.extend_from_slice(b",\"outcome\":");
    text(out, one.outcome)?;
    out.extend_from_slice(b",\"score\":");
    number(out, one.score)?;
    out.extend_from_slice(b",\"reasons\":[],\"features\":[");
    for (nth, value) in one.features.iter_borrowed().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        number(out, &value)?;
    }
    out.extend_from_slice(b"],");
    out.extend_from_slice(common.before);
    int(out, one.offset);
    out.extend_from_slice(b",\"timestamp\":");
    int(out, one.timestamp);
    let told: &[u8] = if one.misplaced { b",\"misplaced\":true" } else { b",\"misplaced\":false" };
    out.extend_from_slice(told);
    out.extend_from_slice(common.after);
    if let Some((low, high)) = one.interval {
        out.extend_from_slice(b",\"interval\":[");
        float(out, low)?;
        out.push(b',');
        float(out, high)?;
        out.push(b']');
    }
    if !one.rates.is_empty() {
        out.extend_from_slice(b",\"rates\":");
        text(out, one.rates)?;
    }
    out.push(b'}');
    Some(())
}

/// Where a `judge.Verdict` has what.
const OUTCOME: usize = 0;
const SCORE: usize = 1;
const DEGRADED: usize = 3;
const RATES: usize = 12;
/// Of a plain one these say nothing: reasons, shadow, explanations; by, alert, learned.
const EMPTY: [usize; 3] = [2, 9, 11];
const NONE: [usize; 3] = [5, 6, 7];
const INTERVAL: usize = 8;

/// Which decisions are plain: of this outcome, and with nothing that only some have. `row`:
/// `DecisionRow`; `entity`: where an event has its own.
pub struct Plain<'a, 'py> {
    pub row: &'a Py<PyAny>,
    pub entity: &'a Bound<'py, PyString>,
    pub outcome: &'a str,
}

/// The rows of decisions of a batch; None in the place of one that is not plain.
pub fn rows<'py>(
    scored: &Bound<'py, PyList>,
    features: &Bound<'py, PyList>,
    verdicts: &Bound<'py, PyList>,
    states: &Bound<'py, PyDict>,
    common: &Common,
    plain: &Plain<'_, 'py>,
) -> PyResult<Bound<'py, PyList>> {
    let (found, mut body) = (PyList::empty(scored.py()), Vec::with_capacity(2048));
    for ((one, row), verdict) in scored.iter().zip(features).zip(verdicts) {
        match decision(plain, &one, &row, &verdict, states, common, &mut body) {
            Ok(row) => found.append(row)?,
            Err(Failed::Unusual) => found.append(scored.py().None())?,
            Err(Failed::Raised(error)) => return Err(error),
        }
    }
    Ok(found)
}

fn decision<'py>(
    plain: &Plain<'_, 'py>,
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
    if outcome.cast::<PyString>()?.to_str().ok() != Some(plain.outcome) || told(DEGRADED)?.is_truthy()? {
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
    let interval = told(INTERVAL)?;
    let interval = if interval.is_none() { None } else { Some(ends(&interval)?) };
    let rates = told(RATES)?.to_owned().cast_into::<PyString>().map_err(|_| Failed::Unusual)?;
    let event = one.get_item(2)?;
    if !one.get_borrowed_item(4)?.is_none() {
        return Err(Failed::Unusual);
    }
    let told_text = |name: &Bound<'py, PyString>| -> Result<Bound<'py, PyString>, Failed> {
        event.getattr(name)?.cast_into::<PyString>().map_err(|_| Failed::Unusual)
    };
    let (id, entity) = (told_text(intern!(py, "id"))?, told_text(plain.entity)?);
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
        outcome: plain.outcome,
        interval,
        rates: utf8(&rates)?,
    };
    self::body(body, common, &scored).ok_or(Failed::Unusual)?;
    let entry = states.get_item(&entity)?.ok_or(Failed::Unusual)?;
    let stripe = entry.getattr(intern!(py, "stripe"))?;
    let body = PyBytes::new(py, body);
    let row = (stripe, &entity, time, &id, &outcome, &score, body, timestamp, false);
    Ok(plain.row.bind(py).call1(row)?)
}

fn ends(interval: &Bound<'_, PyAny>) -> Result<(f64, f64), Failed> {
    let (low, high): (Bound<'_, PyAny>, Bound<'_, PyAny>) = interval.extract()?;
    if !low.is_exact_instance_of::<PyFloat>() || !high.is_exact_instance_of::<PyFloat>() {
        return Err(Failed::Unusual);
    }
    Ok((low.extract()?, high.extract()?))
}
