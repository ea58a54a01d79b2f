use sealock_api::ResetState;

use crate::{client::Client, error::Error, output::Output};

/// Restores the state after the start.
pub(crate) fn run(client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
    if !yes {
        return Err(Error::unconfirmed(
            "a reset cannot be undone; all that was created or changed since the start is lost"
                .to_owned(),
        ));
    }
    client.ask(&ResetState {})?;
    output.done("reset to the state after the start")
}
