use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    Commit, Journal, Result, StoreFiles,
    metadata::{Changes, ledger::Ledger},
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
    /// Asks for the findings on the files beside the database, while none of them is written.
    Check(oneshot::Sender<Result<Vec<String>>>),
    /// Asks for the state that these files are compared with.
    Expect(oneshot::Sender<Box<Expected>>),
    Stop(oneshot::Sender<()>),
}

/// The state that the files beside the database must agree with.
pub(crate) struct Expected {
    pub(crate) files: StoreFiles,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Journal,
}
