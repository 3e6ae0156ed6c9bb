//! A server that speaks S3: moto's, which keeps everything in its memory.

use std::time::Duration;

use rustix::process::Signal;

use super::scratch::Scratch;
use super::server::{Plan, Server};
use crate::program::Program;
use crate::{http, toolchains};

/// The first start compiles its Python.
const START_TIME: Duration = Duration::from_secs(60);
/// A page that only moto has.
const DASHBOARD: &str = "/moto-api/";

pub(super) fn start(scratch: &Scratch) -> anyhow::Result<Server> {
    let moto = toolchains::moto()?;
    let plan = Plan {
        name: "moto",
        program: |port: u16| Program::new(&moto).args(["-H", "127.0.0.1", "-p", &port.to_string()]),
        answers: |port| {
            http::get(&format!("127.0.0.1:{port}"), DASHBOARD, None).is_ok_and(|answer| answer.status == 200)
        },
        stop_signal: Signal::TERM,
        start_time: START_TIME,
    };
    plan.start(scratch)
}

pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
