use ndarray::Array2;
use nezha_graphs::head_spec::Pool;

use super::Place;

/// Pools `[s, width]` to one row.
pub(super) fn pool(place: &Place, pool: Pool, x: &Array2<f64>) -> Array2<f64> {
    let all = matches!(pool, Pool::MeanAll | Pool::MaxAll);
    let read: Vec<usize> = (0..x.nrows())
        .filter(|token| all || place.text.visible[*token])
        .collect();
    Array2::from_shape_fn((1, x.ncols()), |(_, column)| {
        let values = read.iter().map(|token| x[[*token, column]]);
        match pool {
            Pool::Mean | Pool::MeanAll => values.sum::<f64>() / read.len() as f64,
            Pool::Max | Pool::MaxAll => values.fold(f64::NEG_INFINITY, f64::max),
            Pool::Cls => x[[0, column]],
        }
    })
}
