use jiff::{SignedDuration, Span, SpanRelativeTo};
use sealock_api as api;
use sealock_core::{ClockRange, ClockSetting, excerpt};

use super::{Answer, ControlError, call::Call};
use crate::{services::Services, timekeeping};

pub(super) async fn show(call: Call<api::ShowClock>) -> Answer<api::Clock> {
    Ok(view(&call.services))
}

pub(super) async fn advance(call: Call<api::AdvanceClock>) -> Answer<api::Clock> {
    call.services.clock.advance(duration(&call.body.by)?)?;
    changed(&call.services).await
}

pub(super) async fn set(call: Call<api::SetClock>) -> Answer<api::Clock> {
    call.services.clock.set(call.body.now.into())?;
    changed(&call.services).await
}

pub(super) async fn freeze(call: Call<api::FreezeClock>) -> Answer<api::Clock> {
    call.services.clock.freeze();
    changed(&call.services).await
}

pub(super) async fn resume(call: Call<api::ResumeClock>) -> Answer<api::Clock> {
    call.services.clock.resume();
    changed(&call.services).await
}

async fn changed(services: &Services) -> Answer<api::Clock> {
    timekeeping::remember(&services.store, &services.clock).await?;
    services.vault.run_due().await?;
    Ok(view(services))
}

fn view(services: &Services) -> api::Clock {
    let (state, ahead_seconds) = match services.clock.setting() {
        ClockSetting::Frozen(_) => (api::ClockState::Frozen, None),
        ClockSetting::Running(ahead) => (api::ClockState::Running, Some(ahead.as_secs())),
    };
    api::Clock {
        now: services.clock.now().into(),
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
