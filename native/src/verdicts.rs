//! Verdicts of healthy turbofans: `judge` of `domains/maintenance/judging.py` where it has nothing
//! to say, of what the remaining-life model estimates.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString, PyTuple};

use crate::Failed;

/// Where a row of features has what; see `features.FEATURES`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Places {
    usable: usize,
    run: usize,
    condition: usize,
    elsewhere: usize,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Limits {
    watch: f64,
    cap: f64,
    elsewhere: f64,
    stuck_after: f64,
    fewest: f64,
    /// Of each sensor of the type: between which values it is believed.
    sensors: Vec<(Py<PyString>, f64, f64)>,
    /// Of the estimate's interval: estimates, and its ends there.
    at: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

#[pyclass(frozen)]
pub struct Healthy {
    verdict: Py<PyAny>,
    places: Places,
    limits: Limits,
}

#[pymethods]
impl Healthy {
    /// `verdict`: `judge.Verdict`.
    #[new]
    fn new(verdict: Py<PyAny>, places: Places, limits: Limits) -> PyResult<Healthy> {
        let known = limits.at.len();
        if known < 2 || limits.low.len() != known || limits.high.len() != known {
            return Err(pyo3::exceptions::PyValueError::new_err("an interval has two knots or more"));
        }
        Ok(Healthy { verdict, places, limits })
    }

    /// The verdict of each reading that is healthy and of which there is nothing else to say; None
    /// of others. `rows`: features; `outside`: whether a row is unlike the training.
    fn verdicts<'py>(
        &self,
        events: &Bound<'py, PyList>,
        rows: &Bound<'py, PyList>,
        lives: Vec<f64>,
        outside: Vec<bool>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = events.py();
        let made = PyList::empty(py);
        for (((event, row), life), outside) in events.iter().zip(rows).zip(lives).zip(outside) {
            match if outside { Err(Failed::Unusual) } else { self.one(&event, &row, life) } {
                Ok(verdict) => made.append(verdict)?,
                Err(Failed::Unusual) => made.append(py.None())?,
                Err(Failed::Raised(error)) => return Err(error),
            }
        }
        Ok(made)
    }
}

impl Healthy {
    fn one<'py>(
        &self,
        event: &Bound<'py, PyAny>,
        row: &Bound<'py, PyAny>,
        life: f64,
    ) -> Result<Bound<'py, PyAny>, Failed> {
        let (py, limits, places) = (event.py(), &self.limits, &self.places);
        let row = row.cast::<PyTuple>()?;
        let of = |at: usize| -> Result<f64, Failed> { Ok(row.get_borrowed_item(at)?.cast::<PyFloat>()?.value()) };
        let fine = of(places.condition)? >= 0.0
            && of(places.elsewhere)? < limits.elsewhere
            && of(places.run)? < limits.stuck_after
            && of(places.usable)? >= limits.fewest;
        if !fine || !life.is_finite() {
            return Err(Failed::Unusual);
        }
        let score = rounded(if life > 0.0 { life.min(limits.cap) } else { 0.0 }, 6)?;
        if score <= limits.watch {
            return Err(Failed::Unusual);
        }
        let sensors = event.getattr(intern!(py, "sensors"))?.cast_into::<PyDict>().map_err(|_| Failed::Unusual)?;
        for (name, low, high) in &limits.sensors {
            let value = sensors.get_item(name)?.ok_or(Failed::Unusual)?;
            let value = value.cast::<PyFloat>()?.value();
            if !(*low <= value && value <= *high) {
                return Err(Failed::Unusual);
            }
        }
        let at = limits.at.partition_point(|&each| each <= score);
        let (low, high) = (end(&limits.low, &limits.at, at, score), end(&limits.high, &limits.at, at, score));
        let low = if score < low { score } else { low };
        let high = if score > high { score } else { high };
        let interval = (rounded(low, 1)?, rounded(high, 1)?);
        let none = py.None();
        let empty = PyTuple::empty(py);
        let told = ("healthy", score, &empty, false, "", &none, &none, &none, interval);
        Ok(self.verdict.bind(py).call1(told)?)
    }
}

/// `Interval._of`; `right`: the first knot that is beyond the estimate.
fn end(ends: &[f64], knots: &[f64], right: usize, estimate: f64) -> f64 {
    if right == 0 || right == knots.len() {
        return ends[right.min(ends.len() - 1)];
    }
    let left = right - 1;
    let part = (estimate - knots[left]) / (knots[right] - knots[left]);
    ends[left] + part * (ends[right] - ends[left])
}

/// `round` of Python: of the number that it is, to the nearest, ties to even.
fn rounded(value: f64, digits: usize) -> Result<f64, Failed> {
    format!("{value:.digits$}").parse().map_err(|_| Failed::Unusual)
}
