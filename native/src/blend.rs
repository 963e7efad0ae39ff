//! Trees and small networks, half and half: `models/networks.py`, to the bit. All sums of a network
//! are exact there, so their order does not matter.

use pyo3::prelude::*;

use crate::model::{Rows, Trees};

const STEP: f64 = 1.0 / 4096.0;
const INPUT_MAX: f64 = 8.0;
const HIDDEN_MAX: f64 = 256.0;
/// Sums that are kept in registers.
const BLOCK: usize = 8;

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
        let (mut inputs, mut values, mut next) = (Vec::new(), Vec::new(), Vec::new());
        let made = rows.each().map(|row| {
            let grown = cut(trees.of(row), self.low, self.high);
            let apart = row.iter().zip(self.centre.iter().zip(&self.scale));
            inputs.clear();
            inputs.extend(apart.map(|(x, (centre, scale))| {
                stepped((x - centre) / scale, -INPUT_MAX, INPUT_MAX)
            }));
            let mut total = 0.0;
            for layers in &self.networks {
                values.clone_from(&inputs);
                let found = run(layers, &mut values, &mut next);
                total += cut(found * self.unit, self.low, self.high);
            }
            let mean = total / self.networks.len() as f64;
            let found = self.share * grown + (1.0 - self.share) * mean - self.early;
            if found > self.low { found } else { self.low }
        });
        Ok(made.collect())
    }
}

/// The output of a network for `values`; both are given up.
fn run(layers: &[Layer], values: &mut Vec<f64>, next: &mut Vec<f64>) -> f64 {
    let last = layers.len() - 1;
    for (nth, (weights, bias)) in layers.iter().enumerate() {
        let width = bias.len();
        next.clear();
        let mut blocks = bias.chunks_exact(BLOCK);
        for (block, bias) in blocks.by_ref().enumerate() {
            let mut sums = [0.0; BLOCK];
            sums.copy_from_slice(bias);
            for (value, line) in values.iter().zip(weights.chunks_exact(width)) {
                let line = &line[block * BLOCK..][..BLOCK];
                for (sum, weight) in sums.iter_mut().zip(line) {
                    *sum += value * weight;
                }
            }
            next.extend_from_slice(&sums);
        }
        for (column, &bias) in (next.len()..).zip(blocks.remainder()) {
            let lines = values.iter().zip(weights.chunks_exact(width));
            next.push(lines.fold(bias, |sum, (value, line)| sum + value * line[column]));
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

fn cut(value: f64, low: f64, high: f64) -> f64 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

/// Added and taken off, it rounds what is far smaller to whole numbers, ties to even. (A zero's sign
/// is lost, and changes no sum.)
const WHOLE: f64 = 6_755_399_441_055_744.0; // 1.5 * 2**52

fn stepped(value: f64, low: f64, high: f64) -> f64 {
    (cut(value, low, high) / STEP + WHOLE - WHOLE) * STEP
}
