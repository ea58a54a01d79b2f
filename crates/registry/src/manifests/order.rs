use std::{cmp::Ordering, str::FromStr};

use jiff::Timestamp;
use sealock_core::excerpt;

use crate::Error;

/// The number of hexadecimal digits of a time in a [`Moment`]: enough for every nanosecond that a timestamp can have.
const TIME_DIGITS: usize = 18;

/// The order in which ACR lists tags and manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Name,
    OldestFirst,
    NewestFirst,
}

/// The position of an item in such a list.
#[derive(Clone)]
pub(crate) struct Position {
    pub(crate) time: Timestamp,
    pub(crate) name: String,
}

impl Position {
    /// Parses a marker of a list by time. `None` if it has no time.
    pub(crate) fn parse(marker: &str) -> Option<Self> {
        let (time, name) = marker.split_once(',')?;
        Some(Self {
            time: time.parse().ok()?,
            name: name.to_owned(),
        })
    }
}

/// A time and a name as one text. Texts are in the order of their times, and then of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(String);

impl Moment {
    pub(crate) fn new(time: Timestamp, name: &str) -> Self {
        let nanoseconds = time.as_nanosecond() - Timestamp::MIN.as_nanosecond();
        Self(format!("{nanoseconds:0TIME_DIGITS$x}{name}"))
    }

    pub(crate) fn parse(text: String) -> Result<Self, Error> {
        match text.split_at_checked(TIME_DIGITS) {
            Some(_) => Ok(Self(text)),
            None => Err(Error::Internal(format!("'{text}' has no time"))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part that is the same for all names at that time.
    pub(crate) fn time(&self) -> &str {
        self.0.split_at(TIME_DIGITS).0
    }

    pub(crate) fn name(&self) -> &str {
        self.0.split_at(TIME_DIGITS).1
    }

    /// Returns a text after all moments of that time, and before all later ones.
    pub(crate) fn end_of_time(&self) -> String {
        // Tags and digests are ASCII.
        format!("{}\u{7f}", self.time())
    }
}

impl Order {
    /// Returns the name of the order in queries.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "",
            Self::OldestFirst => "timeasc",
            Self::NewestFirst => "timedesc",
        }
    }

    /// Sorts the items, and drops those up to the marker `last`.
    ///
    /// # Errors
    /// [`Error::MarkerUnknown`] if `last` is only a name and no item has it, so that its time is unknown.
    pub(crate) fn sort_after<T>(
        self,
        last: Option<&str>,
        mut items: Vec<(Position, T)>,
    ) -> Result<Vec<(Position, T)>, Error> {
        if let Some(last) = last {
            let last = self.parse_marker(last, &items)?;
            items.retain(|(position, _)| self.compare(position, &last).is_gt());
        }
        items.sort_by(|(one, _), (other, _)| self.compare(one, other));
        Ok(items)
    }

    /// Returns the marker after which the list continues. It contains the time, so that the item may be deleted
    /// meanwhile.
    pub(crate) fn marker(self, position: &Position) -> String {
        match self {
            Self::Name => position.name.clone(),
            Self::OldestFirst | Self::NewestFirst => format!("{},{}", position.time, position.name),
        }
    }

    fn parse_marker<T>(self, marker: &str, items: &[(Position, T)]) -> Result<Position, Error> {
        if self == Self::Name {
            return Ok(Position {
                time: Timestamp::MIN,
                name: marker.to_owned(),
            });
        }
        if let Some(position) = Position::parse(marker) {
            return Ok(position);
        }
        // Some clients send the last name that they saw.
        let mut positions = items.iter().map(|(position, _)| position);
        let position = positions.find(|position| position.name == marker).cloned();
        position.ok_or_else(|| Error::MarkerUnknown(excerpt(marker).to_owned()))
    }

    fn compare(self, one: &Position, other: &Position) -> Ordering {
        let by_time = match self {
            Self::Name => Ordering::Equal,
            Self::OldestFirst => one.time.cmp(&other.time),
            Self::NewestFirst => other.time.cmp(&one.time),
        };
        by_time.then_with(|| one.name.cmp(&other.name))
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "" | "none" => Ok(Self::Name),
            "timeasc" => Ok(Self::OldestFirst),
            "timedesc" => Ok(Self::NewestFirst),
            other => Err(Error::OrderInvalid(excerpt(other).to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_the_order_of_times_and_then_of_names() {
        let moments = [
            (Timestamp::MIN, "b"),
            (Timestamp::new(-1, -1).unwrap(), "b"),
            (Timestamp::UNIX_EPOCH, ""),
            (Timestamp::UNIX_EPOCH, "A"),
            (Timestamp::UNIX_EPOCH, "_"),
            (Timestamp::UNIX_EPOCH, "a"),
            (Timestamp::new(0, 100).unwrap(), "a"),
            (Timestamp::MAX, "a"),
        ];
        let moments = moments.map(|(time, name)| Moment::new(time, name));
        assert!(moments.is_sorted_by(|one, next| one < next));
        for (one, next) in moments.iter().zip(&moments[1..]) {
            let end = one.end_of_time();
            assert!(*one.as_str() < *end);
            assert_eq!(*end < *next.as_str(), one.time() != next.time());
        }
        assert_eq!(moments[3].name(), "A");
    }

    #[test]
    fn list_continues_after_its_last_item_is_deleted() {
        let at = |second: i64, name: &str| {
            let time = Timestamp::from_second(second).unwrap();
            let name = name.to_owned();
            (Position { time, name }, ())
        };
        let items = || vec![at(3, "a"), at(2, "b"), at(2, "c"), at(1, "d")];
        for (order, expected) in [
            (Order::Name, "abcd"),
            (Order::OldestFirst, "dbca"),
            (Order::NewestFirst, "abcd"),
        ] {
            let all = order.sort_after(None, items()).unwrap();
            for (at, (last, ())) in all.iter().enumerate() {
                let mut rest = items();
                rest.retain(|(position, ())| position.name != last.name);
                let rest = order.sort_after(Some(&order.marker(last)), rest).unwrap();
                let rest: String = rest
                    .into_iter()
                    .map(|(position, ())| position.name)
                    .collect();
                assert_eq!(rest, expected[at + 1..], "behind {}", last.name);
            }
        }
        let named = Order::OldestFirst.sort_after(Some("c"), items()).unwrap();
        assert_eq!(named.len(), 1);
        let gone = Order::OldestFirst.sort_after(Some("e"), items());
        assert!(matches!(gone, Err(Error::MarkerUnknown(_))));
    }
}
