//! Bodies of plain decisions, as msgspec writes the JSON of `records.Decision`.

use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyTuple};

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
    out.extend_from_slice(b",\"outcome\":\"approve\",\"score\":");
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
    if !one.rates.is_empty() {
        out.extend_from_slice(b",\"rates\":");
        text(out, one.rates)?;
    }
    out.push(b'}');
    Some(())
}
