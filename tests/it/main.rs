//! The one integration-test crate: the real binary from outside (`black_box`), the sandbox room under attack (`hostile`), and told what it hears
//! (`inputs`).

// Clippy takes only what stands under `cfg(test)` for test code.
#[cfg(test)]
mod black_box;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod support;
