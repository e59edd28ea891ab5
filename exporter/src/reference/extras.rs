//! Applies graph options to the head's outputs.

use ndarray::{Array2, ArrayD, Axis};
use nezha_graphs::{GraphOptions, Head, MaskSource, Pooling};

use super::inputs::{Inputs, Tensor, expect_below};
use super::{Outputs, Reference, ReferenceError, ReferenceOptions, heads};

/// The name of the input that chooses tokens.
const MASK_POSITIONS: &str = "mask_positions";

impl Reference {
    /// Computes the outputs of a graph of `head` with `options`, and the other outputs of
    /// [`Reference::run`].
    ///
    /// `inputs` may contain `mask_positions`, i64 `[n, 2]`. If the graph makes its mask from
    /// padding, this function does too. `top_ids` are the most probable tokens; if probabilities
    /// are equal, the lower id comes first. A cache only splits the same texts into more steps, so
    /// it changes nothing here.
    ///
    /// # Errors
    /// Those of [`Reference::run`].
    pub fn run_graph(
        &self,
        head: Head,
        options: &GraphOptions,
        inputs: &Inputs,
    ) -> Result<Outputs, ReferenceError> {
        let mut inputs = inputs.clone();
        let positions = inputs.remove(MASK_POSITIONS);
        if let (MaskSource::FromPadding, Some(Tensor::I64(ids))) =
            (options.mask, inputs.get("input_ids"))
        {
            let padding = self.config.pad_token_id as i64;
            let mask = ids.mapv(|id| i64::from(id != padding));
            inputs.insert("attention_mask".to_owned(), mask.into());
        }
        let problem_type = options.problem_type;
        let mut outputs = self.run(head, &ReferenceOptions { problem_type }, &inputs)?;
        if let Some(pooling) = options.pooling
            && let Some(x) = outputs.get("last_hidden_state")
        {
            let pooled = pool(x, &inputs, pooling, options.normalize);
            outputs.insert("embeddings".to_owned(), pooled);
        }
        if let (Some(positions), Some(logits)) = (positions, outputs.get("logits")) {
            let scored = at_positions(logits, &positions)?;
            outputs.insert("logits".to_owned(), scored);
        }
        if let Some(logits) = outputs.get("logits") {
            let problem_type = options.effective_problem_type(&self.config);
            let probabilities = heads::of(head).probabilities(problem_type, logits);
            if let Some(k) = options.top_k {
                let (ids, best) = top(&probabilities, k);
                outputs.insert("top_ids".to_owned(), ids);
                outputs.insert("top_probabilities".to_owned(), best);
            }
            outputs.insert("probabilities".to_owned(), probabilities);
        }
        Ok(outputs)
    }
}

/// Pools each text to one vector, `[b, s, H]` → `[b, H]`; mean and maximum are over the visible
/// tokens.
fn pool(x: &ArrayD<f64>, inputs: &Inputs, pooling: Pooling, normalize: bool) -> ArrayD<f64> {
    let [batch, sequence, hidden] = *x.shape() else {
        return x.clone();
    };
    let visible = |row: usize, token: usize| match inputs.get("attention_mask") {
        Some(Tensor::I64(mask)) => mask[[row, token]] == 1,
        _ => true,
    };
    let mut pooled = Array2::from_shape_fn((batch, hidden), |(row, column)| {
        let seen = (0..sequence).filter(|token| visible(row, *token));
        let values = seen.map(|token| x[[row, token, column]]);
        match pooling {
            Pooling::Cls => x[[row, 0, column]],
            Pooling::Mean => values.clone().sum::<f64>() / values.count() as f64,
            Pooling::Max => values.fold(f64::NEG_INFINITY, f64::max),
        }
    });
    if normalize {
        for mut row in pooled.rows_mut() {
            let length = row.mapv(|it| it * it).sum().sqrt();
            row /= length;
        }
    }
    pooled.into_dyn()
}

/// The rows of `[b, s, V]` logits at `[n, 2]` positions, `[n, V]`.
fn at_positions(logits: &ArrayD<f64>, positions: &Tensor) -> Result<ArrayD<f64>, ReferenceError> {
    let misshapen = |found: &[usize], expected: &str| ReferenceError::InputShape {
        name: MASK_POSITIONS.to_owned(),
        expected: expected.to_owned(),
        found: found.to_vec(),
    };
    let [batch, sequence, vocabulary] = *logits.shape() else {
        return Err(misshapen(logits.shape(), "a head that scores tokens"));
    };
    let Tensor::I64(positions) = positions else {
        return Err(misshapen(positions.shape(), "int64 [n, 2]"));
    };
    let [n, 2] = *positions.shape() else {
        return Err(misshapen(positions.shape(), "[n, 2]"));
    };
    for (column, bound) in [(0, batch), (1, sequence)] {
        let column = positions.index_axis(Axis(1), column).to_owned();
        expect_below(bound, MASK_POSITIONS, &column, |_| false)?;
    }
    let scored = Array2::from_shape_fn((n, vocabulary), |(i, token)| {
        let [row, column] = [0, 1].map(|axis| positions[[i, axis]] as usize);
        logits[[row, column, token]]
    });
    Ok(scored.into_dyn())
}

/// The indices and the values of the `k` largest elements along the last axis, largest first.
fn top(probabilities: &ArrayD<f64>, k: usize) -> (ArrayD<f64>, ArrayD<f64>) {
    let last = probabilities.ndim().saturating_sub(1);
    let mut shape = probabilities.shape().to_vec();
    shape[last] = k.min(shape[last]);
    let (mut ids, mut best) = (ArrayD::zeros(shape.as_slice()), ArrayD::zeros(shape));
    let rows = ids.lanes_mut(Axis(last)).into_iter();
    let rows = rows.zip(best.lanes_mut(Axis(last)));
    for ((mut ids, mut best), p) in rows.zip(probabilities.lanes(Axis(last))) {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
        for (place, id) in order.into_iter().take(k).enumerate() {
            ids[place] = id as f64;
            best[place] = p[id];
        }
    }
    (ids, best)
}
