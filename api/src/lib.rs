//! The HTTP contract of ipamd.
//!
//! What stands here is agreed between the server and everybody who talks to it: paths, parameters,
//! documents, codes. It is a crate of its own so that the contract can be read, tested and compared
//! (`openapi.json`) without a server, and so that the client cannot know more than it says.
//! There is no server in it, no socket and no clock.
//!
//! A handler has three beats, and this crate is the first and the last: [`requests`] turn bytes into
//! the allocator's commands, [`reply`] and [`views`] turn its answers into documents, and all that
//! fails is a [`Problem`].

pub mod docs;
pub mod fields;
pub mod handout;
pub mod headers;
mod json;
pub mod openapi;
pub mod pool_selector;
pub mod problem;
pub mod reply;
pub mod requests;
pub mod routes;
pub mod scalar;
pub mod views;

pub use problem::{Problem, Viewer};
pub use reply::Reply;
