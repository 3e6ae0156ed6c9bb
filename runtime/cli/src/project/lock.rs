//! One process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::Context as _;

/// The lock of a file, which is made if absent. It holds until what is returned is dropped; `None` while another process has it.
///
/// # Errors
/// If the file cannot be made, or the file system has no locks.
pub(crate) fn try_lock(file: &Path) -> anyhow::Result<Option<File>> {
    let lock = File::create(file).with_context(|| format!("cannot make {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", file.display())),
    }
}
