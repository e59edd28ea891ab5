//! Functional relative positions (NEZHA, [arXiv:1909.00204](https://arxiv.org/abs/1909.00204),
//! section 2.1) without a vector of the head's size for every pair of positions.
//!
//! Attention reads one row of the table for each pair, `T[r(i, j)]` with
//! `r(i, j) = clip(j − i, −M, M) + M`. As a tensor, these rows would be S·S·D numbers. But there
//! are only R = 2M + 1 different rows, so the products with them are computed first, and the pairs
//! are picked from the products:
//!
//! ```text
//! scores:  q_i·T[r(i,j)]        = (q·Tᵀ)[i, r(i,j)]
//! context: Σ_j p[i,j]·T[r(i,j)] = Σ_r w[i,r]·T[r]   where  w[i,r] = Σ_{j: r(i,j)=r} p[i,j]
//! ```
//!
//! For 0 < r < 2M, the sum w has one term, `p[i, i + r − M]`, or none: these are the band. Only the
//! two ends sum up many terms. The w of a row sum to 1, so the right end follows from the others.
//! With `T'[r] = T[r] − T[2M]` it needs no computation at all:
//!
//! ```text
//! Σ_r w[i,r]·T[r] = Σ_{0<r<2M} band[i,r]·T'[r] + left[i]·T'[0] + T[2M]
//! ```
//!
//! The last term is the same for all queries and keys, so it is added to the bias of the values.
//!
//! There are two forms of picking from the rows of `q·Tᵀ` and of p, [`Gather`]. Both give the same
//! numbers; the target decides which operator is faster.

use nezha_graphs::{Config, DType, Gather};

use super::relative_position_table;
use crate::graph::{Scope, Value};

/// T in each form that attention reads, shared by all layers and heads, keys and values.
///
/// Each form is stored as it is read. So engines compute nothing before they run, and tools that
/// look for the weights of a product find a constant. It costs 33 kB more at base size.
pub(super) struct RelativeTable {
    /// How rows are picked from its products.
    gather: Gather,
    /// Tᵀ, [D, R]. For the flat form, columns of zeros are appended up to a multiple of
    /// [`ALIGNED`].
    transposed: Value,
    /// T'[0], [1, D].
    left: Value,
    /// T'[1..2M], [2M − 1, D].
    band: Value,
    /// T[2M], [1, D].
    last: Value,
    /// T[2M], repeated for each head, [H].
    last_of_heads: Value,
}

/// The relative positions of queries and keys, shared by all layers.
pub(super) struct RelativePositions<'t> {
    table: &'t RelativeTable,
    /// `None` if M = 0: then all pairs share the row T[2M] = T[0].
    clipped: Option<Clipped>,
}

struct Clipped {
    /// r(i, j) for each key.
    rows: Picks,
    /// 1 if r(i, j) = 0, else 0, [queries, keys].
    left: Value,
    band: Band,
}

/// The keys at the distances −M < t < M from each query.
struct Band {
    /// i + t for each of the 2M − 1 distances, clipped to the sequence.
    keys: Picks,
    /// 1 if i + t was inside of the sequence, else 0, [queries, 2M − 1].
    inside: Value,
}

/// Indices into the row of each query; they are the same for every text and head.
enum Picks {
    /// int32 [batch, A, queries, width].
    Elements(Value),
    /// Indices into the rows laid one after the other, int32 [queries, width].
    Flat(Value),
}

/// In the flat form, the length of rows is a multiple of this: OpenVINO's product is faster then.
const ALIGNED: usize = 16;

/// The positions of attention's queries and keys.
pub(super) struct Places {
    /// Batch size, int64 [1].
    pub batch: Value,
    /// Number of queries, int64 [1].
    pub queries: Value,
    /// Number of keys, int64 [1].
    pub keys: Value,
    /// Position of each query, int32 [queries, 1]; queries come after the cached tokens.
    pub query: Value,
    /// Position of each key, int32 [1, keys].
    pub key: Value,
}

impl Places {
    /// Queries after `past` tokens, and keys from position 0.
    pub(super) fn new(
        s: &Scope,
        batch: Value,
        queries: Value,
        keys: Value,
        past: Option<Value>,
    ) -> Self {
        let positions = |count| s.range(scalar(s, count));
        let query = match past {
            Some(past) => s.add(positions(queries), scalar(s, past)),
            None => positions(queries),
        };
        Self {
            batch,
            queries,
            keys,
            query: s.unsqueeze(query, &[1]),
            key: s.unsqueeze(positions(keys), &[0]),
        }
    }

    /// The positions for the first query alone.
    ///
    /// Its position is known, but is gathered from all positions: tract takes seconds to load a
    /// graph in which all positions of a band follow from constants and the length.
    pub(super) fn of_first_query(self, s: &Scope) -> Self {
        Self {
            queries: s.vector(&[1]),
            query: s.gather(self.query, s.vector(&[0]), 0),
            ..self
        }
    }
}

/// Converts a count, int64 [1], to an int32 of rank 0.
fn scalar(s: &Scope, count: Value) -> Value {
    s.cast(s.squeeze(count, &[0]), DType::I32)
}

impl RelativeTable {
    /// The table of a model, in the forms that `gather` needs.
    pub(super) fn new(s: &Scope, config: &Config, gather: Gather) -> Self {
        let (m, depth) = (config.max_relative_position, config.head_size());
        let table = relative_position_table(m, depth);
        let width = width_of_rows(config, gather);
        let element = |row: usize, column| table.get(row * depth + column).copied().unwrap_or(0.0);
        let column = |column| (0..width).map(move |row| element(row, column));
        let transposed: Vec<f32> = (0..depth).flat_map(column).collect();
        let (others, last) = table.split_at(2 * m * depth);
        // T'[0..2M], row by row.
        let pairs = others.iter().zip(last.iter().cycle());
        let differences: Vec<f32> = pairs.map(|(x, last)| x - last).collect();
        let (left, band) = differences.split_at(depth.min(differences.len()));
        let rows = |numbers: &[f32]| [numbers.len() / depth, depth];
        let last_of_heads = last.repeat(config.num_attention_heads);
        Self {
            gather,
            transposed: s.floats("transposed", &[depth, width], &transposed),
            left: s.floats("left_row", &rows(left), left),
            band: s.floats("band_rows", &rows(band), band),
            last: s.floats("last_row", &rows(last), last),
            last_of_heads: s.floats("last_of_heads", &[last_of_heads.len()], &last_of_heads),
        }
    }
}

impl<'t> RelativePositions<'t> {
    /// The pairs of queries and keys at these positions.
    pub(super) fn new(
        s: &Scope,
        config: &Config,
        table: &'t RelativeTable,
        places: &Places,
    ) -> Self {
        let clips = config.max_relative_position > 0;
        Self {
            table,
            clipped: clips.then(|| Clipped::new(s, config, table.gather, places)),
        }
    }

    /// Adds `q_i·T[r(i, j)]` to the scores `content` [batch, A, queries, keys]; `q` is [batch, A,
    /// queries, D].
    ///
    /// If M = 0, this term is constant in a row of scores, so the softmax doesn't change and
    /// nothing is added.
    pub(super) fn add_scores(&self, s: &Scope, content: Value, q: Value) -> Value {
        let Some(clipped) = &self.clipped else {
            return content;
        };
        let by_row = s.matmul(q, self.table.transposed);
        s.add(content, clipped.rows.of(s, by_row))
    }

    /// Adds `Σ_j p[i, j]·T[r(i, j)] − T[2M]` to the context of the values, [batch, A, queries, D].
    /// `p` is [batch, A, queries, keys], and each of its rows sums to 1.
    pub(super) fn add_context(&self, s: &Scope, context: Value, p: Value) -> Value {
        let Some(Clipped { left, band, .. }) = &self.clipped else {
            return context;
        };
        let near = s.mul(band.keys.of(s, p), band.inside);
        let left = s.reduce_sum(s.mul(p, *left), 3);
        let table = self.table;
        let relative = s.add(s.matmul(near, table.band), s.mul(left, table.left));
        s.add(context, relative)
    }

    /// T[2M], [1, D].
    pub(super) fn last(&self) -> Value {
        self.table.last
    }

    /// T[2M], repeated for each head, [H].
    pub(super) fn last_of_heads(&self) -> Value {
        self.table.last_of_heads
    }
}

impl Clipped {
    fn new(s: &Scope, config: &Config, gather: Gather, places: &Places) -> Self {
        let bound = config.max_relative_position as i32;
        let distance = s.sub(places.key, places.query);
        let distance = s.clip(distance, s.int32(-bound), s.int32(bound));
        let rows = s.add(distance, s.int32(bound));
        Self {
            rows: match gather {
                Gather::Elements => Picks::per_head(s, config, places, rows, places.keys),
                Gather::Flat => {
                    let width = s.int32(width_of_rows(config, gather) as i32);
                    Picks::flat(s, places, rows, width)
                }
            },
            left: s.cast(s.equal(rows, s.int32(0)), DType::F32),
            band: Band::new(s, config, gather, places),
        }
    }
}

impl Band {
    fn new(s: &Scope, config: &Config, gather: Gather, places: &Places) -> Self {
        let m = config.max_relative_position;
        let offsets: Vec<i32> = (1..2 * m as i32).map(|row| row - m as i32).collect();
        let key = s.add(places.query, s.int32s("band", &offsets));
        let last = s.sub(s.squeeze(places.keys, &[0]), s.int64(1));
        let kept = at_most(s, at_least_0(s, key), s.cast(last, DType::I32));
        Self {
            keys: match gather {
                Gather::Elements => {
                    let width = s.vector(&[offsets.len() as i64]);
                    Picks::per_head(s, config, places, kept, width)
                }
                Gather::Flat => Picks::flat(s, places, kept, scalar(s, places.keys)),
            },
            inside: s.cast(s.equal(key, kept), DType::F32),
        }
    }
}

/// `max(x, 0)` of int32.
fn at_least_0(s: &Scope, x: Value) -> Value {
    s.clip(x, s.int32(0), s.int32(i32::MAX))
}

/// `min(x, most)` of int32. It avoids a Clip with a computed bound, which burn-onnx doesn't
/// support.
fn at_most(s: &Scope, x: Value, most: Value) -> Value {
    s.sub(most, at_least_0(s, s.sub(most, x)))
}

/// The number of columns of the products with the table.
fn width_of_rows(config: &Config, gather: Gather) -> usize {
    let rows = 2 * config.max_relative_position + 1;
    match gather {
        Gather::Elements => rows,
        Gather::Flat => rows.next_multiple_of(ALIGNED),
    }
}

impl Picks {
    /// Repeats indices [queries, `width`] for every text and head, as `GatherElements` requires.
    fn per_head(s: &Scope, config: &Config, places: &Places, indices: Value, width: Value) -> Self {
        let heads = s.vector(&[config.num_attention_heads as i64]);
        let shape = s.concat(0, &[places.batch, heads, places.queries, width]);
        Picks::Elements(s.expand(indices, shape))
    }

    /// Converts indices [queries, width] into rows of `length` elements (int32, rank 0) to indices
    /// that count from the start of the first query's row.
    fn flat(s: &Scope, places: &Places, indices: Value, length: Value) -> Self {
        let row = s.unsqueeze(s.range(scalar(s, places.queries)), &[1]);
        Picks::Flat(s.add(s.mul(row, length), indices))
    }

    /// Picks the elements of `x` [batch, A, queries, n] at these indices, [batch, A, queries,
    /// width].
    fn of(&self, s: &Scope, x: Value) -> Value {
        match *self {
            Picks::Elements(indices) => s.gather_elements(x, indices, 3),
            Picks::Flat(indices) => s.gather(s.reshape(x, &[0, 0, -1]), indices, 2),
        }
    }
}
