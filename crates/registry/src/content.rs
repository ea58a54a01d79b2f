//! Stored content: sealed objects, the blobs that repositories have, and checks of both.

pub(crate) mod blob;
pub(crate) mod damage;
mod download;
pub(crate) mod evidence;
pub(crate) mod finding;
pub(crate) mod garbage;
pub(crate) mod hasher;
pub(crate) mod inspect;
mod links;
pub(crate) mod object;
pub(crate) mod read_ahead;
pub(crate) mod record;
pub(crate) mod sweep;
pub(crate) mod uncommitted;
mod verify;
