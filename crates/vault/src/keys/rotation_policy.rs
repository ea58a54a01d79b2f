use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A key's rotation policy: automatic rotation, expiry and notification.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationPolicy {
    /// The actions: at most one rotation and one notification.
    pub lifetime_actions: Vec<LifetimeAction>,
    /// The validity period of each new version.
    pub expiry_time: Option<Period>,
}

/// An action and its trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// The time of the action.
    pub trigger: Trigger,
    /// The action.
    pub action: Action,
}

/// The time of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// A period after the creation of the current version.
    AfterCreate(Period),
    /// A period before the expiry of the current version.
    BeforeExpiry(Period),
}

/// An action that a rotation policy schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make a new version.
    Rotate,
    /// Report that the current version expires soon.
    Notify,
}

/// A period in years, months, weeks and days, such as `P1Y6M` or `P90D`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(String);

/// The maximum length of a period's text.
const LENGTH_LIMIT: usize = 80;

const SEVEN_DAYS: &str = "P7D";
const TWENTY_EIGHT_DAYS: &str = "P28D";
const THIRTY_DAYS: &str = "P30D";

impl Default for RotationPolicy {
    /// Returns the policy of a key for which none was set.
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
    /// Checks the policy and adds the default notification if it has none.
    ///
    /// # Errors
    /// [`Error::BadParameter`] with the broken rule.
    pub(crate) fn checked(mut self, now: Timestamp) -> Result<Self> {
        self.actions_are_unique()?;
        let expires = match &self.expiry_time {
            Some(expiry) => Some(expiry_is_at_least_28_days(expiry, now)?),
            None => None,
        };
        for LifetimeAction { trigger, action } in &self.lifetime_actions {
            match (action, trigger) {
                (Action::Notify, Trigger::AfterCreate(_)) => {
                    return Err(bad_parameter(
                        "A Notify action must have the trigger timeBeforeExpiry.",
                    ));
                }
                (Action::Notify, Trigger::BeforeExpiry(_)) => {}
                (Action::Rotate, trigger) => rotation_is_within_bounds(trigger, now, expires)?,
            }
        }
        let notifies = |action: &LifetimeAction| action.action == Action::Notify;
        if !self.lifetime_actions.iter().any(notifies) {
            self.lifetime_actions
                .push(LifetimeAction::notify_by_default());
        }
        Ok(self)
    }

    fn actions_are_unique(&self) -> Result<()> {
        for action in [Action::Rotate, Action::Notify] {
            let times = self.lifetime_actions.iter().filter(|a| a.action == action);
            if times.count() > 1 {
                return Err(bad_parameter(&format!(
                    "A rotation policy can have at most one {action} action."
                )));
            }
        }
        Ok(())
    }

    /// Returns the expiry of a version that is made at `now`, or `None` if it is beyond the calendar.
    pub(crate) fn new_version_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.expiry_time.as_ref()?.after(now).ok()
    }

    /// Returns the time at which `action` is due for a version with these times, or `None` if it is never due.
    pub fn due_time(
        &self,
        action: Action,
        created: Timestamp,
        expires: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let found = self.lifetime_actions.iter().find(|a| a.action == action);
        match (found.map(|found| &found.trigger), expires) {
            // A time beyond the calendar never comes.
            (Some(Trigger::AfterCreate(period)), _) => period.after(created).ok(),
            (Some(Trigger::BeforeExpiry(period)), Some(expires)) => {
                Some(period.before(expires).unwrap_or(Timestamp::MIN))
            }
            _ => None,
        }
    }
}

/// Checks that a version is valid for at least four weeks. Returns its expiry.
fn expiry_is_at_least_28_days(expiry: &Period, now: Timestamp) -> Result<Timestamp> {
    let expires = expiry.after(now)?;
    if expires < add_period(now, TWENTY_EIGHT_DAYS)? {
        return Err(bad_parameter(&format!(
            "The expiryTime '{expiry}' is too short; it must be at least {TWENTY_EIGHT_DAYS}."
        )));
    }
    Ok(expires)
}

/// Checks that a rotation is at least seven days after the creation and seven days before the expiry.
fn rotation_is_within_bounds(
    trigger: &Trigger,
    now: Timestamp,
    expires: Option<Timestamp>,
) -> Result<()> {
    let rotated = match (trigger, expires) {
        (Trigger::AfterCreate(period), _) => period.after(now)?,
        (Trigger::BeforeExpiry(period), Some(expires)) => period.before(expires)?,
        (Trigger::BeforeExpiry(_), None) => {
            return Err(bad_parameter(
                "A Rotate action with the trigger timeBeforeExpiry requires an expiryTime.",
            ));
        }
    };
    if rotated < add_period(now, SEVEN_DAYS)? {
        return Err(bad_parameter(
            "A Rotate action must be at least 7 days after the creation of a version.",
        ));
    }
    if let Some(expires) = expires
        && expires < add_period(rotated, SEVEN_DAYS)?
    {
        return Err(bad_parameter(
            "A Rotate action must be at least 7 days before the expiry of a version.",
        ));
    }
    Ok(())
}

fn add_period(start: Timestamp, period: &str) -> Result<Timestamp> {
    Period(period.to_owned()).after(start)
}

fn bad_parameter(why: &str) -> Error {
    Error::BadParameter(why.to_owned())
}

impl Period {
    /// Returns the time that is this period after `start`, by the calendar in UTC.
    fn after(&self, start: Timestamp) -> Result<Timestamp> {
        self.shift(start, self.span()?)
    }

    fn before(&self, end: Timestamp) -> Result<Timestamp> {
        self.shift(end, self.span()?.negate())
    }

    fn shift(&self, time: Timestamp, span: Span) -> Result<Timestamp> {
        let shifted = time.to_zoned_datetime(TimeZone::UTC).checked_add(span);
        shifted
            .map(|shifted| shifted.timestamp())
            .map_err(|_| bad_parameter(&format!("The period '{}' is too long.", self.0)))
    }

    fn span(&self) -> Result<Span> {
        let mut span = 0.days();
        let mut digits = String::new();
        // Each unit occurs at most once, in this order.
        let mut units = "YMWD".chars();
        for letter in self.0.chars().skip(1) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let number = digits.parse::<i64>().ok();
            let number = number.filter(|_| units.any(|unit| unit == letter));
            let sum = number.and_then(|number| match letter {
                'Y' => span.try_years(number).ok(),
                'M' => span.try_months(number).ok(),
                'W' => span.try_weeks(number).ok(),
                'D' => span.try_days(number).ok(),
                _ => None,
            });
            span = sum.ok_or_else(|| self.invalid())?;
            digits.clear();
        }
        if digits.is_empty() && self.0.len() > 2 {
            Ok(span)
        } else {
            Err(self.invalid())
        }
    }

    fn invalid(&self) -> Error {
        bad_parameter(&format!(
            "'{}' is not a period; use years, months, weeks and days as in ISO 8601, such as P90D or P1Y6M.",
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
    fn periods_are_added_by_the_calendar() {
        for (period, after) in [
            ("P1D", "2026-02-01T00:00:00Z"),
            ("P1M", "2026-02-28T00:00:00Z"),
            ("P1Y", "2027-01-31T00:00:00Z"),
            ("P2W", "2026-02-14T00:00:00Z"),
            ("P1Y2M3D", "2027-04-03T00:00:00Z"),
        ] {
            let end = period.parse::<Period>().unwrap().after(now()).unwrap();
            assert_eq!(end.to_string(), after, "{period}");
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

    /// Makes a policy: `R+P15D` rotates after 15 days, `R-P7D` 7 days before expiry; `N-P7D` notifies.
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
    fn policies_outside_azures_bounds_are_refused() {
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
    fn policies_without_a_notification_notify_30_days_before_expiry() {
        let checked = policy(&["R+P15D"], None).checked(now()).unwrap();
        assert_eq!(checked, policy(&["R+P15D", "N-P30D"], None));
        assert_eq!(RotationPolicy::default(), policy(&["N-P30D"], None));
    }

    #[test]
    fn triggers_determine_when_actions_are_due() {
        let expires = Some("2026-03-01T00:00:00Z".parse().unwrap());
        let policy = policy(&["R+P15D", "N-P7D"], None);
        let due = |action, expires| {
            let due = policy.due_time(action, now(), expires);
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
