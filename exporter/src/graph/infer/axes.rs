//! Operations that rearrange elements without computing.

use nezha_graphs::Dim;

use super::{Element, Inferred, at, elements, numbers, plain, product, show};
use crate::graph::ValueType;

pub(super) fn reshape(x: &ValueType, target: &ValueType) -> Inferred {
    let mut shape = Vec::new();
    let mut left = None;
    for (axis, element) in elements(target)?.iter().enumerate() {
        shape.push(match element {
            Element::Number(0) => x.shape.get(axis).ok_or("keeps an axis it lacks")?.clone(),
            Element::Number(-1) => {
                if left.replace(axis).is_some() {
                    return Err("two axes take what is left".into());
                }
                Dim::from(1)
            }
            other => other.size().ok_or("a negative size")?,
        });
    }
    let (total, rest) = (product(&x.shape), product(&shape));
    let fits = match left {
        Some(axis) => total.divide(&rest).map(|dim| shape[axis] = dim),
        None => (total == rest).then_some(()),
    };
    fits.ok_or_else(|| format!("{} as {}", show(&x.shape), show(&shape)))?;
    Ok(ValueType {
        dtype: x.dtype,
        shape,
        elements: x.elements.clone(),
    })
}

pub(super) fn slice(
    x: &ValueType,
    starts: &ValueType,
    ends: &ValueType,
    axes: &ValueType,
) -> Inferred {
    let (starts, ends, axes) = (numbers(starts)?, numbers(ends)?, numbers(axes)?);
    if starts.len() != axes.len() || ends.len() != axes.len() {
        let (starts, ends, axes) = (starts.len(), ends.len(), axes.len());
        return Err(format!("{starts} starts and {ends} ends of {axes} axes"));
    }
    let mut shape = x.shape.clone();
    for ((axis, start), end) in axes.into_iter().zip(starts).zip(ends) {
        let dim = at(&mut shape, axis)?;
        let size = dim.as_fixed().ok_or("only fixed axes are sliced")? as i64;
        if !(0 <= start && start <= end && end <= size) {
            return Err(format!("{start}..{end} of {size}"));
        }
        *dim = Dim::from((end - start) as usize);
    }
    Ok(plain(x.dtype, shape))
}

pub(super) fn squeeze(x: &ValueType, axes: &ValueType) -> Inferred {
    let axes = numbers(axes)?;
    let rank = x.shape.len();
    let is_axis = |axis: &i64| usize::try_from(*axis).is_ok_and(|axis| axis < rank);
    if let Some(axis) = axes.iter().find(|it| !is_axis(it)) {
        return Err(format!("axis {axis} of {}", show(&x.shape)));
    }
    let mut shape = Vec::new();
    for (axis, dim) in x.shape.iter().enumerate() {
        match axes.contains(&(axis as i64)) {
            true if dim.as_fixed() == Some(1) => (),
            true => return Err(format!("axis {axis} of {} is not 1", show(&x.shape))),
            false => shape.push(dim.clone()),
        }
    }
    Ok(ValueType {
        dtype: x.dtype,
        shape,
        elements: x.elements.clone(),
    })
}

pub(super) fn transpose(perm: &[usize], x: &ValueType) -> Inferred {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.shape.len()) {
        return Err(format!("{perm:?} of {}", show(&x.shape)));
    }
    let shape = perm.iter().map(|axis| x.shape[*axis].clone()).collect();
    Ok(plain(x.dtype, shape))
}

pub(super) fn unsqueeze(x: &ValueType, axes: &ValueType) -> Inferred {
    let mut axes = numbers(axes)?;
    axes.sort_unstable();
    if let Some((axis, _)) = axes.iter().zip(axes.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(format!("axis {axis} twice"));
    }
    let mut shape = x.shape.clone();
    for axis in axes {
        let place = usize::try_from(axis).ok().filter(|it| *it <= shape.len());
        let place = place.ok_or_else(|| format!("axis {axis} of {}", show(&x.shape)))?;
        shape.insert(place, Dim::from(1));
    }
    Ok(ValueType {
        dtype: x.dtype,
        shape,
        elements: x.elements.clone(),
    })
}
