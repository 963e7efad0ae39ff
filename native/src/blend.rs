//! Trees and small networks, half and half: `models/networks.py`, to the bit. All sums of a network
//! are exact there, so their order does not matter.

use pyo3::prelude::*;

use crate::model::{Rows, Trees};

const STEP: f64 = 1.0 / 4096.0;
const INPUT_MAX: f64 = 8.0;
const HIDDEN_MAX: f64 = 256.0;

/// Weights, a row an input, one row after another; biases.
type Layer = (Vec<f64>, Vec<f64>);

#[pyclass(frozen)]
pub struct Blend {
    trees: Py<Trees>,
    centre: Vec<f64>,
    scale: Vec<f64>,
    networks: Vec<Vec<Layer>>,
    unit: f64,
    share: f64,
    low: f64,
    high: f64,
    early: f64,
}

#[pymethods]
impl Blend {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        trees: Py<Trees>,
        centre: Vec<f64>,
        scale: Vec<f64>,
        networks: Vec<Vec<Layer>>,
        unit: f64,
        share: f64,
        low: f64,
        high: f64,
        early: f64,
    ) -> Blend {
        Blend { trees, centre, scale, networks, unit, share, low, high, early }
    }

    /// `BlendModel.predict`, for rows of as many values as it takes.
    fn predict(&self, rows: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
        let mut rows = Rows::of(rows)?;
        for number in &mut rows.numbers {
            *number = match *number {
                each if each.is_nan() => 0.0,
                each => each.clamp(-f64::MAX, f64::MAX),
            };
        }
        let trees = self.trees.get();
        let (mut values, mut next) = (Vec::new(), Vec::new());
        let made = rows.each().map(|row| {
            let grown = cut(trees.of(row), self.low, self.high);
            let mut total = 0.0;
            for layers in &self.networks {
                let found = self.run(layers, row, &mut values, &mut next);
                total += cut(found * self.unit, self.low, self.high);
            }
            let mean = total / self.networks.len() as f64;
            let found = self.share * grown + (1.0 - self.share) * mean - self.early;
            if found > self.low { found } else { self.low }
        });
        Ok(made.collect())
    }
}

impl Blend {
    fn run(&self, layers: &[Layer], row: &[f64], values: &mut Vec<f64>, next: &mut Vec<f64>) -> f64 {
        let apart = row.iter().zip(self.centre.iter().zip(&self.scale));
        values.clear();
        values.extend(apart.map(|(x, (centre, scale))| {
            stepped((x - centre) / scale, -INPUT_MAX, INPUT_MAX)
        }));
        let last = layers.len() - 1;
        for (nth, (weights, bias)) in layers.iter().enumerate() {
            next.clear();
            next.extend_from_slice(bias);
            for (value, line) in values.iter().zip(weights.chunks_exact(bias.len())) {
                for (sum, weight) in next.iter_mut().zip(line) {
                    *sum += value * weight;
                }
            }
            if nth < last {
                for each in next.iter_mut() {
                    *each = stepped(*each, 0.0, HIDDEN_MAX);
                }
            }
            std::mem::swap(values, next);
        }
        values[0]
    }
}

fn cut(value: f64, low: f64, high: f64) -> f64 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

fn stepped(value: f64, low: f64, high: f64) -> f64 {
    (cut(value, low, high) / STEP).round_ties_even() * STEP
}
