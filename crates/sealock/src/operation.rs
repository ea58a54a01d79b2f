use clap::{Args, Subcommand};
use sealock_api::{ArmOperation, ArmOperations, CompleteOperation, FailOperation, ListOperations};

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen},
};

#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// List the asynchronous operations of Resource Manager in the last day
    #[command(after_help = "Example:\n  sealock operation list")]
    List,
    /// Complete an operation that is under way
    #[command(
        after_help = "Example:\n  sealock operation complete 2c5e8f6a-6f0b-4a52-9d6f-0b7f8f1f6f11"
    )]
    Complete(OperationArgs),
    /// Let an operation that is under way fail
    #[command(
        after_help = "Example:\n  sealock operation fail 2c5e8f6a-6f0b-4a52-9d6f-0b7f8f1f6f11"
    )]
    Fail(OperationArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OperationArgs {
    /// Id of the operation
    id: String,
}

impl OperationCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let ended = match self {
            Self::List => {
                let screen = output.screen();
                let answer = client.ask(&ListOperations {})?;
                return output.show(&answer, |operations| list(operations, screen));
            }
            Self::Complete(OperationArgs { id }) => {
                client.ask(&CompleteOperation { operation: id })?
            }
            Self::Fail(OperationArgs { id }) => client.ask(&FailOperation { operation: id })?,
        };
        output.show(&ended, |operation: &ArmOperation| {
            let ArmOperation {
                action,
                resource,
                state,
                ..
            } = operation;
            format!("{action} {resource} has {state}")
        })
    }
}

fn list(list: &ArmOperations, screen: Screen) -> String {
    let rows = list.operations.iter().map(|operation| {
        let name = operation.resource.rsplit('/').next().unwrap_or_default();
        let due = match (operation.ended, operation.due) {
            (None, None) => "held".to_owned(),
            (None, Some(due)) => due.to_string(),
            (Some(_), _) => String::new(),
        };
        [
            operation.id.clone(),
            operation.action.to_string(),
            name.to_owned(),
            operation.resource.clone(),
            operation.state.to_string(),
            due,
        ]
    });
    let columns = [
        Column::Always("ID"),
        Column::Always("ACTION"),
        Column::Narrow("RESOURCE"),
        Column::Wide("RESOURCE"),
        Column::Always("STATE"),
        Column::Wide("DUE"),
    ];
    screen.table(columns, rows)
}
