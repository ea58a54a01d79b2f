use std::{cmp::Ordering, str::FromStr};

use jiff::Timestamp;
use sealock_core::excerpt;

use crate::Error;

/// In what order ACR lists tags and manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Name,
    OldestFirst,
    NewestFirst,
}

/// Where something stands in such a list.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) time: Timestamp,
    pub(crate) name: String,
}

impl Order {
    /// As clients ask for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "",
            Self::OldestFirst => "timeasc",
            Self::NewestFirst => "timedesc",
        }
    }

    /// What there is behind `last`, in this order.
    ///
    /// # Errors
    /// [`Error::MarkerUnknown`] if `last` is a name alone, and nothing of it says when that was.
    pub(crate) fn behind<T>(
        self,
        last: Option<&str>,
        mut items: Vec<(Place, T)>,
    ) -> Result<Vec<(Place, T)>, Error> {
        if let Some(last) = last {
            let last = self.find(last, &items)?;
            items.retain(|(place, _)| self.compare(place, &last).is_gt());
        }
        items.sort_by(|(one, _), (other, _)| self.compare(one, other));
        Ok(items)
    }

    /// How a client says where its list goes on. With the time, so that it need not be there any more.
    pub(crate) fn marker(self, place: &Place) -> String {
        match self {
            Self::Name => place.name.clone(),
            Self::OldestFirst | Self::NewestFirst => format!("{},{}", place.time, place.name),
        }
    }

    fn find<T>(self, marker: &str, items: &[(Place, T)]) -> Result<Place, Error> {
        if self == Self::Name {
            return Ok(Place {
                time: Timestamp::MIN,
                name: marker.to_owned(),
            });
        }
        if let Some((time, name)) = marker.split_once(',')
            && let Ok(time) = time.parse()
        {
            let name = name.to_owned();
            return Ok(Place { time, name });
        }
        // Some clients make it up from the last name that they saw.
        let mut places = items.iter().map(|(place, _)| place);
        let place = places.find(|place| place.name == marker).cloned();
        place.ok_or_else(|| Error::MarkerUnknown(excerpt(marker).to_owned()))
    }

    fn compare(self, one: &Place, other: &Place) -> Ordering {
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
    fn a_list_goes_on_although_what_it_had_last_is_gone() {
        let at = |second: i64, name: &str| {
            let time = Timestamp::from_second(second).unwrap();
            let name = name.to_owned();
            (Place { time, name }, ())
        };
        let items = || vec![at(3, "a"), at(2, "b"), at(2, "c"), at(1, "d")];
        for (order, expected) in [
            (Order::Name, "abcd"),
            (Order::OldestFirst, "dbca"),
            (Order::NewestFirst, "abcd"),
        ] {
            let all = order.behind(None, items()).unwrap();
            for (at, (last, ())) in all.iter().enumerate() {
                let mut rest = items();
                rest.retain(|(place, ())| place.name != last.name);
                let rest = order.behind(Some(&order.marker(last)), rest).unwrap();
                let rest: String = rest.into_iter().map(|(place, ())| place.name).collect();
                assert_eq!(rest, expected[at + 1..], "behind {}", last.name);
            }
        }
        let named = Order::OldestFirst.behind(Some("c"), items()).unwrap();
        assert_eq!(named.len(), 1);
        let gone = Order::OldestFirst.behind(Some("e"), items());
        assert!(matches!(gone, Err(Error::MarkerUnknown(_))));
    }
}
