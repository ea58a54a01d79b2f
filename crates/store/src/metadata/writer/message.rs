use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    Journal, Result, StoreFiles,
    metadata::{Changes, Commit, ledger::Ledger},
};

/// Changes whose outcome a task awaits.
pub(crate) struct Request {
    pub(crate) changes: Changes,
    pub(crate) done: oneshot::Sender<Result<Commit>>,
    /// The slot in the queue. The number of slots limits the waiting commits.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// A request to the writer.
pub(crate) enum Message {
    Commit(Request),
    /// Requests a check of the files beside the database, during which none of them is written.
    Check(oneshot::Sender<Result<Vec<String>>>),
    /// Requests the state with which these files must agree.
    Expect(oneshot::Sender<Box<Expected>>),
    Stop(oneshot::Sender<()>),
}

/// The state with which the files beside the database must agree.
pub(crate) struct Expected {
    pub(crate) files: StoreFiles,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Journal,
}
