use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul};
use std::sync::Arc;

/// Values of named axes, such as `batch_size` → 8.
pub type Bindings = BTreeMap<String, usize>;

/// The longest text, in bytes, that is parsed as a polynomial. The time to parse a product of many
/// axes grows with the square of the length.
const TEXT_LIMIT: usize = 1024;

/// One dimension of a shape: a polynomial over named axes with whole coefficients.
///
/// A NEZHA graph needs only `768`, `sequence_length`, `past_sequence_length + sequence_length` and
/// `batch_size*num_choices`. Two dimensions are equal exactly if their polynomials are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    /// Coefficient of each monomial. A monomial is the sorted list of its axes; the constant's list
    /// is empty. Shapes are copied at every node of a graph, so copies share them.
    terms: Arc<BTreeMap<Vec<String>, usize>>,
}

impl Dim {
    /// A dimension with a name instead of a number.
    pub fn symbol(name: &str) -> Self {
        Self {
            terms: Arc::new(BTreeMap::from([(vec![name.to_owned()], 1)])),
        }
    }

    /// Parses what [`Display`](fmt::Display) writes; any other text becomes one name.
    ///
    /// Other exporters put free text into `dim_param`, so no text is refused. Text of more than
    /// 1024 bytes becomes a name too.
    pub fn parse(text: &str) -> Self {
        if text.len() > TEXT_LIMIT {
            return Dim::symbol(text);
        }
        let is_name = |it: &str| {
            !it.is_empty()
                && it
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        };
        let factor = |it: &str| match it.trim().parse::<usize>() {
            Ok(number) => Some(Dim::from(number)),
            Err(_) => is_name(it.trim()).then(|| Dim::symbol(it.trim())),
        };
        let term = |it: &str| {
            it.split('*')
                .map(factor)
                .try_fold(Dim::from(1), |product, next| Some(product * next?))
        };
        text.split('+')
            .map(term)
            .try_fold(Dim::from(0), |sum, next| Some(sum + next?))
            .unwrap_or_else(|| Dim::symbol(text))
    }

    /// The number, if the dimension has no named axis.
    pub fn as_fixed(&self) -> Option<usize> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The name, if the dimension is one named axis and nothing else.
    pub fn as_symbol(&self) -> Option<&str> {
        match self.terms.iter().next() {
            Some((monomial, 1)) if self.terms.len() == 1 && monomial.len() == 1 => {
                Some(&monomial[0])
            }
            _ => None,
        }
    }

    /// The value of the dimension under `bindings`; `None` if an axis is not bound or the value
    /// overflows.
    pub fn evaluate(&self, bindings: &Bindings) -> Option<usize> {
        self.terms
            .iter()
            .try_fold(0usize, |sum, (monomial, coefficient)| {
                let product = monomial.iter().try_fold(*coefficient, |product, axis| {
                    product.checked_mul(*bindings.get(axis)?)
                })?;
                sum.checked_add(product)
            })
    }

    /// The dimension, with the axes in `bindings` replaced by their numbers.
    pub fn substitute(&self, bindings: &Bindings) -> Dim {
        let axis = |name: &String| match bindings.get(name) {
            Some(number) => Dim::from(*number),
            None => Dim::symbol(name),
        };
        self.terms
            .iter()
            .map(|(monomial, coefficient)| {
                let factors = monomial.iter().map(axis);
                factors.fold(Dim::from(*coefficient), Dim::mul)
            })
            .fold(Dim::from(0), Dim::add)
    }

    /// The exact quotient; `None` if the divisor has several terms or a remainder is left.
    pub fn divide(&self, divisor: &Dim) -> Option<Dim> {
        let (monomial, coefficient) = divisor.terms.iter().next()?;
        if divisor.terms.len() != 1 {
            return None;
        }
        let mut terms = BTreeMap::new();
        for (numerator, factor) in self.terms.iter() {
            let mut rest = numerator.clone();
            for axis in monomial {
                let found = rest.iter().position(|it| it == axis)?;
                rest.remove(found);
            }
            if factor % coefficient != 0 {
                return None;
            }
            terms.insert(rest, factor / coefficient);
        }
        Some(Dim {
            terms: Arc::new(terms),
        })
    }

    fn insert(&mut self, monomial: Vec<String>, coefficient: usize) {
        if coefficient > 0 {
            let slot = Arc::make_mut(&mut self.terms).entry(monomial).or_insert(0);
            *slot = slot.saturating_add(coefficient);
        }
    }
}

impl From<usize> for Dim {
    fn from(number: usize) -> Self {
        let mut dim = Dim {
            terms: Arc::default(),
        };
        dim.insert(Vec::new(), number);
        dim
    }
}

impl Add for Dim {
    type Output = Dim;

    fn add(mut self, other: Dim) -> Dim {
        for (monomial, coefficient) in other.terms.iter() {
            self.insert(monomial.clone(), *coefficient);
        }
        self
    }
}

impl Mul for Dim {
    type Output = Dim;

    fn mul(self, other: Dim) -> Dim {
        let mut product = Dim::from(0);
        for (left, a) in self.terms.iter() {
            for (right, b) in other.terms.iter() {
                let mut monomial = [left.as_slice(), right.as_slice()].concat();
                monomial.sort();
                product.insert(monomial, a.saturating_mul(*b));
            }
        }
        product
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        for (i, (monomial, coefficient)) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" + ")?;
            }
            match (coefficient, monomial.is_empty()) {
                (number, true) => write!(f, "{number}")?,
                (1, false) => f.write_str(&monomial.join("*"))?,
                (number, false) => write!(f, "{number}*{}", monomial.join("*"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_reads_what_it_writes() {
        for text in [
            "0",
            "768",
            "batch_size",
            "batch_size*num_choices",
            "past_sequence_length + sequence_length",
            "1 + 2*sequence_length",
        ] {
            assert_eq!(Dim::parse(text).to_string(), text);
        }
    }

    #[test]
    fn text_that_is_no_polynomial_is_one_name() {
        for text in ["floor(s/2)", "", "a - b", "x y"] {
            assert_eq!(Dim::parse(text).as_symbol(), Some(text));
        }
    }

    #[test]
    fn a_product_of_a_million_axes_is_one_name_and_takes_no_time() {
        let text = vec!["axis"; 1_000_000].join("*");
        assert_eq!(Dim::parse(&text).as_symbol(), Some(text.as_str()));
    }

    #[test]
    fn an_axis_that_is_given_a_number_goes() {
        let bindings = Bindings::from([("batch_size".into(), 2), ("s".into(), 7)]);
        for (text, expected) in [
            ("batch_size*num_choices", "2*num_choices"),
            ("past + s", "7 + past"),
            ("batch_size*s", "14"),
            ("768", "768"),
        ] {
            assert_eq!(Dim::parse(text).substitute(&bindings).to_string(), expected);
        }
    }

    #[test]
    fn division_undoes_multiplication_and_refuses_the_rest() {
        let (batch, sequence) = (Dim::symbol("batch_size"), Dim::symbol("sequence_length"));
        let product = batch.clone() * sequence.clone() * Dim::from(12);
        assert_eq!(
            product.divide(&(batch.clone() * Dim::from(4))),
            Some(sequence.clone() * Dim::from(3))
        );
        assert_eq!(product.divide(&Dim::from(5)), None);
        assert_eq!(batch.divide(&sequence), None);
        assert_eq!(Dim::from(4).divide(&Dim::from(0)), None);
    }

    #[test]
    fn evaluation_needs_every_axis_and_does_not_overflow() {
        let bindings = Bindings::from([("a".into(), 3), ("b".into(), usize::MAX)]);
        assert_eq!(Dim::parse("1 + 2*a").evaluate(&bindings), Some(7));
        assert_eq!(Dim::parse("a*b").evaluate(&bindings), None);
        assert_eq!(Dim::parse("a + c").evaluate(&bindings), None);
    }
}
