use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use sealock_api as api;
use sealock_core::{Clock, ClockOutOfRange, ClockSetting, excerpt};

use super::{Answer, ControlError, call::Call, effect::report_effect_of};
use crate::{services::Services, timekeeping};

pub(super) async fn show(call: Call<api::ShowClock>) -> Answer<api::Clock> {
    Ok(view(&call.services))
}

pub(super) async fn advance(call: Call<api::AdvanceClock>) -> Answer<api::Changed<api::ClockMove>> {
    let (services, step) = (call.services, call.body);
    let by = parse_duration(&step.by)?;
    // The clock itself refuses a step out of its range.
    let target = services.clock.now().checked_add(by);
    let target = target.unwrap_or(Timestamp::MIN);
    move_clock(&services, target, step.allow_purge, |clock| {
        clock.advance(by)
    })
    .await
}

pub(super) async fn set(call: Call<api::SetClock>) -> Answer<api::Changed<api::ClockMove>> {
    let (services, time) = (call.services, call.body);
    let target = time.now.into();
    move_clock(&services, target, time.allow_purge, |clock| {
        clock.set(target)
    })
    .await
}

/// Moves the clock to `target`. Refuses to purge vaults or keys unless `allow_purge` is true.
async fn move_clock(
    services: &Services,
    target: Timestamp,
    allow_purge: bool,
    change: impl FnOnce(&Clock) -> Result<(), ClockOutOfRange> + Send,
) -> Answer<api::Changed<api::ClockMove>> {
    let purges = services.vault.purges_until(target).await?;
    let purged: Vec<_> = purges
        .into_iter()
        .map(|purge| api::Purge {
            vault: purge.vault,
            key: purge.key,
        })
        .collect();
    if !purged.is_empty() && !allow_purge {
        return Err(ControlError::would_purge(&purged));
    }
    report_effect_of(services, async {
        change(&services.clock)?;
        timekeeping::store_setting(&services.store, &services.clock).await?;
        let due = services.vault.run_due().await?;
        services.resource_manager.end_due_operations().await;
        let rotated = due.rotated.iter();
        let rotated = rotated.map(|kid| services.names.key_uri(&kid.identifier()));
        Ok(api::ClockMove {
            clock: view(services),
            purged,
            rotated: rotated.collect(),
        })
    })
    .await
}

pub(super) async fn freeze(call: Call<api::FreezeClock>) -> Answer<api::Clock> {
    call.services.clock.freeze();
    store_setting(&call.services).await
}

pub(super) async fn resume(call: Call<api::ResumeClock>) -> Answer<api::Clock> {
    call.services.clock.resume();
    store_setting(&call.services).await
}

async fn store_setting(services: &Services) -> Answer<api::Clock> {
    timekeeping::store_setting(&services.store, &services.clock).await?;
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

fn parse_duration(text: &str) -> Result<SignedDuration, ControlError> {
    let span: Result<Span, _> = text.parse();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| {
            let given = excerpt(text);
            ControlError::bad_request(format!(
                "'{given}' is not a duration; expected a duration such as 90s, 1h, '1h 30m' or 90d"
            ))
        })
}

impl From<ClockOutOfRange> for ControlError {
    fn from(error: ClockOutOfRange) -> Self {
        Self::bad_request(error.to_string())
    }
}
