use axum::{Json, extract::State};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use sealock_core::{ClockRange, ClockSetting, excerpt};
use serde::{Deserialize, Serialize};

use super::{Answer, ControlError, extract::Body};
use crate::{services::Services, timekeeping};

#[derive(Serialize)]
pub(super) struct View {
    now: Timestamp,
    state: &'static str,
    /// How far a running clock is ahead of the system's; negative if behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_seconds: Option<i64>,
}

pub(super) async fn show(State(services): State<Services>) -> Json<View> {
    Json(view(&services))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    /// Such as `1h`, `90 days` or `PT1H`.
    by: String,
}

pub(super) async fn advance(
    State(services): State<Services>,
    Body(asked): Body<Advance>,
) -> Answer<View> {
    services.clock.advance(duration(&asked.by)?)?;
    changed(&services).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    now: Timestamp,
}

pub(super) async fn set(State(services): State<Services>, Body(asked): Body<Set>) -> Answer<View> {
    services.clock.set(asked.now)?;
    changed(&services).await
}

pub(super) async fn freeze(State(services): State<Services>) -> Answer<View> {
    services.clock.freeze();
    changed(&services).await
}

pub(super) async fn resume(State(services): State<Services>) -> Answer<View> {
    services.clock.resume();
    changed(&services).await
}

async fn changed(services: &Services) -> Answer<View> {
    timekeeping::remember(&services.store, &services.clock).await?;
    timekeeping::run_due(services).await?;
    Ok(Json(view(services)))
}

fn view(services: &Services) -> View {
    let (state, ahead_seconds) = match services.clock.setting() {
        ClockSetting::Frozen(_) => ("frozen", None),
        ClockSetting::Running(ahead) => ("running", Some(ahead.as_secs())),
    };
    View {
        now: services.clock.now(),
        state,
        ahead_seconds,
    }
}

fn duration(text: &str) -> Result<SignedDuration, ControlError> {
    let span: Result<Span, _> = text.parse();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| {
            let given = excerpt(text);
            ControlError::bad_request(format!(
                "'{given}' is not a duration; expected one such as 90s, 1h, '1h 30m' or 90d"
            ))
        })
}

impl From<ClockRange> for ControlError {
    fn from(error: ClockRange) -> Self {
        Self::bad_request(error.to_string())
    }
}
