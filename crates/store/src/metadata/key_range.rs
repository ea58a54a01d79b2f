use std::ops::Bound;

/// The keys between two bounds, in the order in which they are read.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// The lower bound.
    pub start: Bound<&'a [u8]>,
    /// The upper bound.
    pub end: Bound<&'a [u8]>,
    /// The order.
    pub direction: Direction,
}

/// The order in which a range of keys is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The first key first.
    Forward,
    /// The last key first.
    Backward,
}

impl KeyRange<'static> {
    /// All keys.
    pub const ALL: Self = Self {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        direction: Direction::Forward,
    };
}

impl<'a> KeyRange<'a> {
    /// Returns both bounds.
    pub(crate) fn bounds(&self) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
        (self.start, self.end)
    }

    /// Returns true if no key lies between the bounds.
    pub(crate) fn is_empty(&self) -> bool {
        match self.bounds() {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

impl Direction {
    /// Returns the items in this order.
    pub(crate) fn of<'a, T>(
        self,
        items: impl DoubleEndedIterator<Item = T> + Send + 'a,
    ) -> Box<dyn Iterator<Item = T> + Send + 'a> {
        match self {
            Self::Forward => Box::new(items),
            Self::Backward => Box::new(items.rev()),
        }
    }
}
