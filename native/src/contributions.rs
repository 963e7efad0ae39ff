//! What features add to a score of trees: `models/tree_contributions.py`, in the same order of sums.

use pyo3::prelude::*;

use crate::model::Rows;

/// Of leaves with as many features on their way: feature, low, high, share and whether NaN goes it,
/// a row a feature on the way and a column a leaf; values; points and weights.
type Told = (Vec<usize>, Vec<f64>, Vec<f64>, Vec<f64>, Vec<bool>, Vec<f64>, Vec<(f64, f64)>);

#[pyclass(frozen)]
pub struct Contributions {
    groups: Vec<Told>,
}

#[pymethods]
impl Contributions {
    #[new]
    fn new(groups: Vec<Told>) -> Contributions {
        Contributions { groups }
    }

    /// Of one row, given as an array of one: an amount a feature.
    fn of(&self, row: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
        let row = Rows::of(row)?.numbers;
        let mut amounts = vec![0.0; row.len()];
        for group in &self.groups {
            let mut own = vec![0.0; row.len()];
            add(group, &row, &mut own);
            for (amount, each) in amounts.iter_mut().zip(own) {
                *amount += each;
            }
        }
        Ok(amounts)
    }
}

fn add(told: &Told, row: &[f64], amounts: &mut [f64]) {
    let (feature, low, high, share, lacking, value, points) = told;
    let leaves = value.len();
    let mut apart = Vec::with_capacity(feature.len());
    for (at, &feature) in feature.iter().enumerate() {
        let x = row[feature];
        let met = if x.is_nan() { lacking[at] } else { x > low[at] && x <= high[at] };
        apart.push(f64::from(met) - share[at]);
    }
    let mut inside = vec![0.0; feature.len()];
    let (mut factors, mut whole) = (vec![0.0; feature.len()], vec![0.0; leaves]);
    for &(point, weight) in points {
        whole.fill(1.0);
        let lines = factors.chunks_exact_mut(leaves).zip(apart.chunks_exact(leaves));
        for ((factors, apart), share) in lines.zip(share.chunks_exact(leaves)) {
            for leaf in 0..leaves {
                factors[leaf] = apart[leaf] * point + share[leaf];
                whole[leaf] *= factors[leaf];
            }
        }
        for each in &mut whole {
            *each *= weight;
        }
        let lines = inside.chunks_exact_mut(leaves).zip(factors.chunks_exact(leaves));
        for (inside, factors) in lines {
            for leaf in 0..leaves {
                inside[leaf] += whole[leaf] / factors[leaf];
            }
        }
    }
    for (at, &feature) in feature.iter().enumerate() {
        amounts[feature] += inside[at] * apart[at] * value[at % leaves];
    }
}
