use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What becomes of a key as time passes.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationPolicy {
    /// What is done when. One rotation and one notification at most.
    pub lifetime_actions: Vec<LifetimeAction>,
    /// How long each new version is valid.
    pub expiry_time: Option<Period>,
}

/// Something that is done with a key at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: Action,
}

/// When something is done with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// So long after its current version was created.
    AfterCreate(Period),
    /// So long before its current version expires.
    BeforeExpiry(Period),
}

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It gets a new version.
    Rotate,
    /// Whoever wants to know is told that it expires soon.
    Notify,
}

/// A length of time in years, months and days, such as `P1Y6M` or `P90D`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(String);

/// How long the text of a period can be.
const LENGTH_LIMIT: usize = 80;

const SEVEN_DAYS: &str = "P7D";
const TWENTY_EIGHT_DAYS: &str = "P28D";
const THIRTY_DAYS: &str = "P30D";

impl Default for RotationPolicy {
    /// That of a key for which nothing was said.
    fn default() -> Self {
        Self {
            lifetime_actions: vec![LifetimeAction::notify_by_default()],
            expiry_time: None,
        }
    }
}

impl LifetimeAction {
    fn notify_by_default() -> Self {
        Self {
            trigger: Trigger::BeforeExpiry(Period(THIRTY_DAYS.to_owned())),
            action: Action::Notify,
        }
    }
}

impl RotationPolicy {
    /// The policy as it will be kept, if it is one.
    ///
    /// # Errors
    /// [`Error::BadParameter`] with the rule that it breaks.
    pub(crate) fn checked(mut self, now: Timestamp) -> Result<Self> {
        self.each_action_once()?;
        let expires = match &self.expiry_time {
            Some(expiry) => Some(expiry_is_long_enough(expiry, now)?),
            None => None,
        };
        for LifetimeAction { trigger, action } in &self.lifetime_actions {
            match (action, trigger) {
                (Action::Notify, Trigger::AfterCreate(_)) => {
                    return Err(bad(
                        "A Notify action can have the trigger timeBeforeExpiry only.",
                    ));
                }
                (Action::Notify, Trigger::BeforeExpiry(_)) => {}
                (Action::Rotate, trigger) => rotates_in_between(trigger, now, expires)?,
            }
        }
        let notifies = |action: &LifetimeAction| action.action == Action::Notify;
        if !self.lifetime_actions.iter().any(notifies) {
            self.lifetime_actions
                .push(LifetimeAction::notify_by_default());
        }
        Ok(self)
    }

    fn each_action_once(&self) -> Result<()> {
        for action in [Action::Rotate, Action::Notify] {
            let times = self.lifetime_actions.iter().filter(|a| a.action == action);
            if times.count() > 1 {
                return Err(bad(&format!(
                    "A rotation policy has at most one {action} action."
                )));
            }
        }
        Ok(())
    }

    /// When a version that is made at `now` expires; never, if no calendar has it.
    pub(crate) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        self.expiry_time.as_ref()?.after(now).ok()
    }

    /// When `action` is to be done with a version that was made at `created` and expires at `expires`.
    pub(crate) fn due(
        &self,
        action: Action,
        created: Timestamp,
        expires: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let found = self.lifetime_actions.iter().find(|a| a.action == action);
        match (found.map(|found| &found.trigger), expires) {
            // As above: never, if no calendar has it.
            (Some(Trigger::AfterCreate(period)), _) => period.after(created).ok(),
            (Some(Trigger::BeforeExpiry(period)), Some(expires)) => {
                Some(period.before(expires).unwrap_or(Timestamp::MIN))
            }
            _ => None,
        }
    }
}

/// A version is valid for four weeks at least.
fn expiry_is_long_enough(expiry: &Period, now: Timestamp) -> Result<Timestamp> {
    let expires = expiry.after(now)?;
    if expires < at(now, TWENTY_EIGHT_DAYS)? {
        return Err(bad(&format!(
            "The expiryTime '{expiry}' is too short; it is at least {TWENTY_EIGHT_DAYS}."
        )));
    }
    Ok(expires)
}

/// A rotation is at least seven days after creation and before expiry.
fn rotates_in_between(trigger: &Trigger, now: Timestamp, expires: Option<Timestamp>) -> Result<()> {
    let rotated = match (trigger, expires) {
        (Trigger::AfterCreate(period), _) => period.after(now)?,
        (Trigger::BeforeExpiry(period), Some(expires)) => period.before(expires)?,
        (Trigger::BeforeExpiry(_), None) => {
            return Err(bad(
                "A Rotate action with the trigger timeBeforeExpiry needs an expiryTime.",
            ));
        }
    };
    if rotated < at(now, SEVEN_DAYS)? {
        return Err(bad(
            "A Rotate action is at least 7 days after the creation of a version.",
        ));
    }
    if let Some(expires) = expires
        && expires < at(rotated, SEVEN_DAYS)?
    {
        return Err(bad(
            "A Rotate action is at least 7 days before the expiry of a version.",
        ));
    }
    Ok(())
}

fn at(start: Timestamp, period: &str) -> Result<Timestamp> {
    Period(period.to_owned()).after(start)
}

fn bad(why: &str) -> Error {
    Error::BadParameter(why.to_owned())
}

impl Period {
    /// The time that is this long after `start`, by the calendar in UTC.
    fn after(&self, start: Timestamp) -> Result<Timestamp> {
        self.apart(start, self.span()?)
    }

    fn before(&self, end: Timestamp) -> Result<Timestamp> {
        self.apart(end, self.span()?.negate())
    }

    fn apart(&self, from: Timestamp, span: Span) -> Result<Timestamp> {
        let there = from.to_zoned_datetime(TimeZone::UTC).checked_add(span);
        there
            .map(|there| there.timestamp())
            .map_err(|_| bad(&format!("The period '{}' is too long.", self.0)))
    }

    fn span(&self) -> Result<Span> {
        let mut span = 0.days();
        let mut digits = String::new();
        // Each at most once, and in this order.
        let mut units = "YMWD".chars();
        for letter in self.0.chars().skip(1) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let number = digits.parse::<i64>().ok();
            let number = number.filter(|_| units.any(|unit| unit == letter));
            let with = number.and_then(|number| match letter {
                'Y' => span.try_years(number).ok(),
                'M' => span.try_months(number).ok(),
                'W' => span.try_weeks(number).ok(),
                'D' => span.try_days(number).ok(),
                _ => None,
            });
            span = with.ok_or_else(|| self.invalid())?;
            digits.clear();
        }
        if digits.is_empty() && self.0.len() > 2 {
            Ok(span)
        } else {
            Err(self.invalid())
        }
    }

    fn invalid(&self) -> Error {
        bad(&format!(
            "'{}' is not a period; expected years, months and days as in ISO 8601, such as P90D or P1Y6M.",
            self.0
        ))
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let period = Self(text.chars().take(LENGTH_LIMIT).collect());
        if period.0.len() < text.len() || !period.0.starts_with('P') {
            return Err(period.invalid());
        }
        period.span()?;
        Ok(period)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Period {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotate => "Rotate",
            Self::Notify => "Notify",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_period_goes_by_the_calendar() {
        for (period, after) in [
            ("P1D", "2026-02-01T00:00:00Z"),
            ("P1M", "2026-02-28T00:00:00Z"),
            ("P1Y", "2027-01-31T00:00:00Z"),
            ("P2W", "2026-02-14T00:00:00Z"),
            ("P1Y2M3D", "2027-04-03T00:00:00Z"),
        ] {
            let there = period.parse::<Period>().unwrap().after(now()).unwrap();
            assert_eq!(there.to_string(), after, "{period}");
        }
        for bad in [
            "",
            "P",
            "PD",
            "P1",
            "1D",
            "P1H",
            "PT1H",
            "P-1D",
            "P1D2",
            "p1d",
            "P99999999999D",
            "P1.5D",
            "P1D2D",
            "P1D1Y",
            &format!("P{}9Dx", "0".repeat(77)),
        ] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    /// `R+P15D` rotates after so much, `R-P7D` before expiry, `N-P7D` notifies.
    fn policy(actions: &[&str], expiry: Option<&str>) -> RotationPolicy {
        let action = |text: &&str| {
            let period = text[2..].parse().unwrap();
            LifetimeAction {
                action: match &text[..1] {
                    "R" => Action::Rotate,
                    _ => Action::Notify,
                },
                trigger: match &text[1..2] {
                    "+" => Trigger::AfterCreate(period),
                    _ => Trigger::BeforeExpiry(period),
                },
            }
        };
        RotationPolicy {
            lifetime_actions: actions.iter().map(action).collect(),
            expiry_time: expiry.map(|expiry| expiry.parse().unwrap()),
        }
    }

    #[test]
    fn a_policy_keeps_azures_bounds() {
        for (actions, expiry, valid) in [
            (&["R+P15D", "N-P7D"][..], Some("P30D"), true),
            (&["R-P7D"], Some("P28D"), true),
            (&["R+P7D"], None, true),
            (&[], None, true),
            (&["N-P1D"], None, true),
            (&["R+P6D"], None, false),
            (&["R+P24D"], Some("P30D"), false),
            (&["R-P6D"], Some("P30D"), false),
            (&["R-P24D"], Some("P30D"), false),
            (&["R-P7D"], None, false),
            (&[], Some("P27D"), false),
            (&["N+P15D"], Some("P30D"), false),
            (&["R+P8D", "R+P9D"], None, false),
            (&["N-P8D", "N-P9D"], None, false),
        ] {
            let checked = policy(actions, expiry).checked(now());
            assert_eq!(checked.is_ok(), valid, "{actions:?} {expiry:?} {checked:?}");
        }
    }

    #[test]
    fn who_says_nothing_is_notified_a_month_before() {
        let kept = policy(&["R+P15D"], None).checked(now()).unwrap();
        assert_eq!(kept, policy(&["R+P15D", "N-P30D"], None));
        assert_eq!(RotationPolicy::default(), policy(&["N-P30D"], None));
    }

    #[test]
    fn an_action_is_due_by_its_trigger() {
        let expires = Some("2026-03-01T00:00:00Z".parse().unwrap());
        let policy = policy(&["R+P15D", "N-P7D"], None);
        let due = |action, expires| {
            let due = policy.due(action, now(), expires);
            due.map(|due: Timestamp| due.to_string())
        };
        assert_eq!(
            due(Action::Rotate, None).as_deref(),
            Some("2026-02-15T00:00:00Z")
        );
        assert_eq!(due(Action::Notify, None), None);
        assert_eq!(
            due(Action::Notify, expires).as_deref(),
            Some("2026-02-22T00:00:00Z")
        );
    }
}
