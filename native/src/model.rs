//! Rows of features as numbers; their scores by boosted trees (`models/trees.py`), to the bit; and
//! whether they are like the training rows (`models/distribution.py`), where that is beyond doubt.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

/// Rows, one after another: of sequences of numbers, or of an array of float64.
pub struct Rows {
    width: usize,
    pub numbers: Vec<f64>,
}

impl Rows {
    pub fn of(rows: &Bound<'_, PyAny>) -> PyResult<Rows> {
        let Ok(array) = PyBuffer::<f64>::get(rows) else {
            return Rows::of_sequences(rows);
        };
        if array.dimensions() != 2 {
            return Err(PyValueError::new_err("rows are an array of two dimensions"));
        }
        let width = array.shape()[1];
        Ok(Rows { width, numbers: array.to_vec(rows.py())? })
    }

    fn of_sequences(rows: &Bound<'_, PyAny>) -> PyResult<Rows> {
        let mut found = Rows { width: 0, numbers: Vec::new() };
        for row in rows.try_iter()? {
            let (row, before) = (row?, found.numbers.len());
            if let Ok(row) = row.cast::<PyTuple>() {
                for value in row.iter_borrowed() {
                    found.numbers.push(value.extract()?);
                }
            } else {
                found.numbers.extend(row.extract::<Vec<f64>>()?);
            }
            let width = found.numbers.len() - before;
            if before == 0 {
                found.width = width;
                found.numbers.reserve_exact((rows.len()? - 1) * width);
            } else if found.width != width {
                return Err(PyValueError::new_err("rows differ in length"));
            }
        }
        Ok(found)
    }

    pub fn each(&self) -> impl Iterator<Item = &[f64]> {
        self.numbers.chunks_exact(self.width.max(1))
    }
}

/// The rows' numbers as the bytes of an array of float64, row by row.
#[pyfunction]
pub fn matrix<'py>(rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let found = Rows::of_sequences(rows)?;
    PyBytes::new_with(rows.py(), found.numbers.len() * 8, |bytes| {
        for (place, number) in bytes.chunks_exact_mut(8).zip(&found.numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        Ok(())
    })
}

/// Of a feature: where its lines of the table begin, and its thresholds.
type Place = (usize, usize, Vec<f64>);

#[pyclass(frozen)]
pub struct Trees {
    places: Vec<Place>,
    table: Table,
    values: Vec<f64>,
    leaves: usize,
    bias: f64,
    zero: f64,
    tells_missing: bool,
    logistic: bool,
}

/// A line for each rank of each feature, a mask for each tree: see `models/trees.py`.
enum Table {
    Narrow(Vec<u16>),
    Wide(Vec<u64>),
}

#[pymethods]
impl Trees {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        places: Vec<Place>,
        table: Vec<u64>,
        values: Vec<f64>,
        trees: usize,
        bias: f64,
        zero: f64,
        tells_missing: bool,
        logistic: bool,
    ) -> Trees {
        let leaves = values.len() / trees.max(1);
        let table = if leaves <= 16 {
            Table::Narrow(table.iter().map(|&mask| mask as u16).collect())
        } else {
            Table::Wide(table)
        };
        Trees { places, table, values, leaves, bias, zero, tells_missing, logistic }
    }

    /// `TreesModel.predict`, for rows of as many values as it takes.
    fn predict(&self, rows: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
        Ok(Rows::of(rows)?.each().map(|row| self.of(row)).collect())
    }
}

trait Mask: Copy + std::ops::BitAnd<Output = Self> {
    const EVERY: Self;
    fn first(self) -> usize;
}

impl Mask for u16 {
    const EVERY: u16 = u16::MAX;
    fn first(self) -> usize {
        self.trailing_zeros() as usize
    }
}

impl Mask for u64 {
    const EVERY: u64 = u64::MAX;
    fn first(self) -> usize {
        self.trailing_zeros() as usize
    }
}

impl Trees {
    pub fn of(&self, row: &[f64]) -> f64 {
        match &self.table {
            Table::Narrow(table) => self.score(table, row),
            Table::Wide(table) => self.score(table, row),
        }
    }

    fn score<M: Mask>(&self, table: &[M], row: &[f64]) -> f64 {
        let trees = self.values.len() / self.leaves.max(1);
        let mut alive = [M::EVERY; 1024];
        let mut many;
        let alive = if trees <= alive.len() {
            &mut alive[..trees]
        } else {
            many = vec![M::EVERY; trees];
            &mut many[..]
        };
        for (feature, at, thresholds) in &self.places {
            let value = row[*feature];
            let rank = if self.tells_missing && value.is_nan() {
                thresholds.len() + 1
            } else {
                let value = if value.abs() > self.zero { value } else { 0.0 };
                thresholds.partition_point(|&threshold| threshold < value)
            };
            let line = (at + rank) * trees;
            for (mask, &own) in alive.iter_mut().zip(&table[line..line + trees]) {
                *mask = *mask & own;
            }
        }
        // Multiples of one small number: their sum is exact in any order.
        let sum: f64 = alive
            .iter()
            .enumerate()
            .map(|(tree, mask)| self.values[tree * self.leaves + mask.first()])
            .sum();
        let found = sum + self.bias;
        if !self.logistic {
            return found;
        }
        let e = (-found.abs()).exp();
        if found >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
    }
}

const FARTHEST: f64 = 5.0;
/// Relative to the limit: so near to it the reference says on which side a row is.
const NEAR: f64 = 1e-6;
const OUTSIDE: u8 = 1;
const UNSURE: u8 = 2;

/// Of a feature that varied in training: which, its quantiles, and what they are as normal scores.
type Curve = (usize, Vec<f64>, Vec<f64>);

#[pyclass(frozen)]
pub struct Distribution {
    low: Vec<f64>,
    high: Vec<f64>,
    curves: Vec<Curve>,
    center: Vec<f64>,
    precision: Vec<f64>,
    far: f64,
}

#[pymethods]
impl Distribution {
    /// `precision`: row by row.
    #[new]
    fn new(
        low: Vec<f64>,
        high: Vec<f64>,
        curves: Vec<Curve>,
        center: Vec<f64>,
        precision: Vec<f64>,
        far: f64,
    ) -> Distribution {
        Distribution { low, high, curves, center, precision, far }
    }

    /// Of each row 1 where it is out of distribution, 0 where not, 2 where the reference has to say.
    fn outside<'py>(&self, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let found = Rows::of(rows)?;
        let told: Vec<u8> = found.each().map(|row| self.one(row)).collect();
        Ok(PyBytes::new(rows.py(), &told))
    }
}

impl Distribution {
    fn one(&self, row: &[f64]) -> u8 {
        let ends = self.low.iter().zip(&self.high);
        if row.iter().zip(ends).any(|(x, (low, high))| x < low || x > high) {
            return OUTSIDE;
        }
        let n = self.center.len();
        let mut z: Vec<f64> = self.center.iter().map(|center| -center).collect();
        for (feature, known, normal) in &self.curves {
            let (value, last) = (row[*feature], known.len() - 1);
            let within = value.max(known[0]).min(known[last]);
            let at = known.partition_point(|&each| each <= within).clamp(1, last);
            let slope = (normal[at] - normal[at - 1]) / (known[at] - known[at - 1]);
            let beyond = (normal[last] - normal[0]) / (known[last] - known[0]);
            let found = normal[at - 1] + slope * (within - known[at - 1]);
            z[*feature] += (found + (value - within) * beyond).clamp(-FARTHEST, FARTHEST);
        }
        let mut sums = vec![0.0; n];
        for (each, line) in z.iter().zip(self.precision.chunks_exact(n)) {
            for (sum, weight) in sums.iter_mut().zip(line) {
                *sum += each * weight;
            }
        }
        let distance: f64 = sums.iter().zip(&z).map(|(sum, each)| sum * each).sum();
        if (distance - self.far).abs() > NEAR * self.far {
            u8::from(distance > self.far)
        } else {
            UNSURE // of NaN, too
        }
    }
}

