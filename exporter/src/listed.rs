use std::fmt;

/// The first items of a list, the separator between them, and the number of the others.
pub(crate) struct Listed<'t, T>(pub &'t [T], pub &'static str);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let Self(all, separator) = self;
        for (i, it) in all.iter().take(SHOWN).enumerate() {
            write!(f, "{}{it}", if i > 0 { separator } else { "" })?;
        }
        match all.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
