//! codenode against every other way to do its job: the same signed event, the same answer, one run.
//!
//! The load generator polls and never sleeps, so that the server does not pay for its wake-ups. It knows HTTP/1.1 and one event; it is no
//! general tool.

pub mod codenode;
pub mod contestant;
pub mod figures;
pub mod load;
pub mod machine;
pub mod price;
pub mod process;
pub mod reach;
pub mod report;
pub mod scenario;

mod connection;
