//! What the storage tests talk to, PostgreSQL and a server that speaks S3: made for one run, and gone with it.
//!
//! They touch nothing that was on the machine before, no cluster, no bucket and no port.

mod moto;
mod postgres;
mod scratch;
mod server;

use crate::steps::Steps;
use crate::toolchains;
use scratch::Scratch;
use server::Server;

pub(crate) use scratch::Sweep;

/// The services, answering.
pub(crate) struct Services {
    postgres: Server,
    s3: Server,
    /// Goes after those whose files are in it.
    _scratch: Scratch,
}

/// `cargo xtask services`
pub(crate) fn run() -> anyhow::Result<()> {
    let mut services = set_up_and_start()?;
    println!("\n==> for `cargo test` in another terminal; all is gone with Ctrl-C");
    for (name, url) in services.variables() {
        println!("export {name}={url}");
    }
    services.watch()
}

/// What the services are made of.
pub(crate) fn set_up(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("set-up: PostgreSQL", postgres::ensure)?;
    steps.step("set-up: S3", || toolchains::moto().map(drop))
}

fn set_up_and_start() -> anyhow::Result<Services> {
    let mut steps = Steps::default();
    set_up(&mut steps)?;
    Services::start(&mut steps)
}

impl Services {
    /// Starts all and waits until they answer.
    pub(crate) fn start(steps: &mut Steps) -> anyhow::Result<Self> {
        let scratch = Scratch::new()?;
        let postgres = steps.step("services: PostgreSQL", || postgres::start(&scratch))?;
        let s3 = steps.step("services: S3", || moto::start(&scratch))?;
        Ok(Self { postgres, s3, _scratch: scratch })
    }

    /// Where the tests find them.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [("CODENODE_TEST_POSTGRES", postgres::url(self.postgres.port)), ("CODENODE_TEST_S3", moto::url(self.s3.port))]
    }

    /// Returns when one of them has ended by itself. Ctrl-C ends us before; [`Scratch`] and the leashes see to the rest.
    fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            self.postgres.check()?;
            self.s3.check()?;
            server::pause();
        }
    }
}
