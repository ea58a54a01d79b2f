//! The check of host names that not every system resolves.

use std::{
    net::ToSocketAddrs as _,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use sealock_api::Environment;

use crate::{environment, error::Error, output};

/// The time for the resolver. One that asks an unreachable network would take much longer to fail.
const PATIENCE: Duration = Duration::from_secs(2);

/// Warns of the endpoints' names that this system does not resolve to itself. `remedy` is the command that makes them known.
pub(crate) fn warn_of_unresolved(environment: &Environment, remedy: &str) -> Result<(), Error> {
    let unresolved = unresolved(environment::hosts(environment)?);
    if unresolved.is_empty() {
        return Ok(());
    }
    output::warn(
        format_args!("this system does not resolve {}", unresolved.join(", ")),
        format_args!("add the names to /etc/hosts with: {remedy}"),
    );
    Ok(())
}

fn unresolved(mut hosts: Vec<String>) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let (sender, receiver) = mpsc::channel();
    for host in hosts.clone() {
        let sender = sender.clone();
        thread::spawn(move || {
            if resolves(&host) {
                // Nobody waits after the deadline.
                let _ = sender.send(host);
            }
        });
    }
    drop(sender);
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Ok(resolved) = receiver.recv_timeout(left()) {
        hosts.retain(|host| *host != resolved);
    }
    hosts
}

/// Returns true if the name has an address. That of a name under localhost must be of this machine.
fn resolves(host: &str) -> bool {
    let is_local = host.ends_with(".localhost");
    (host, 0)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.any(|address| !is_local || address.ip().is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_an_address_are_reported() {
        let hosts = ["localhost", "no-such-name.invalid"].map(str::to_owned);
        assert_eq!(unresolved(hosts.into()), ["no-such-name.invalid"]);
    }
}
