//! Configuration: what people set for a handler, and the secrets that it is granted by name.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};

use super::wasi::config::store::{self, Error};
use crate::failure::Stop;
use crate::host::Host;
use crate::values::Values;

/// What a guest is told, or why its run ends.
type Told<T> = wasmtime::Result<Result<T, Error>>;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)
}

impl Host {
    /// The values that there are for a call; none without a grant, which no guest can tell from a key that is not set.
    fn values(&mut self) -> wasmtime::Result<Option<Arc<dyn Values>>> {
        self.count_call();
        if self.calls_exceeded() {
            return Err(Stop::TooManyCalls.into());
        }
        Ok(self.grants().granted().map(|granted| Arc::clone(&granted.values)))
    }
}

impl store::Host for Host {
    fn get(&mut self, key: String) -> Told<Option<String>> {
        Ok(Ok(self.values()?.and_then(|values| values.get(&key))))
    }

    fn get_all(&mut self) -> Told<Vec<(String, String)>> {
        Ok(Ok(self.values()?.map_or_else(Vec::new, |values| values.all())))
    }
}
