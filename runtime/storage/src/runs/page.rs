//! A page: the records of one node's runs within a few minutes.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Cause, NodeId, Record, RunId, TenantId, Used};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::form;
use crate::column::{damaged, parsed};
use crate::{Result, StorageError};

/// Between the first run of a page and its last; so a record is found by its id alone.
pub(super) const MOST_SPAN: Duration = Duration::from_secs(600);
/// A page is closed when the texts in it have grown to this, or its records to that.
const FULL_BYTES: u64 = 1 << 20;
const FULL_RECORDS: usize = 2000;
const HOUR: i64 = 3_600_000;

/// Records, ready to be written.
#[derive(Debug)]
pub struct RunPages(Vec<Page>);

#[derive(Debug)]
pub(super) struct Page {
    pub(super) tenant: TenantId,
    pub(super) node: NodeId,
    pub(super) first: RunId,
    pub(super) last: RunId,
    /// The names of all causes in it, each between commas: `,exit,trap,`.
    pub(super) causes: String,
    pub(super) used: Used,
    pub(super) body: Vec<u8>,
}

impl RunPages {
    /// Brings records into the form in which they are kept: in the order of their tenants and nodes, so that two hosts that write at once never
    /// wait for each other in a circle.
    ///
    /// # Errors
    /// [`StorageError::Invalid`]: a record that cannot be written; none that we make is one.
    pub fn of(mut records: Vec<Record>) -> Result<Self> {
        records.sort_unstable_by(|a, b| (&a.tenant, &a.node, a.id).cmp(&(&b.tenant, &b.node, b.id)));
        let mut pages = Vec::new();
        for records in records.chunk_by(|a, b| a.tenant == b.tenant && a.node == b.node) {
            let mut rest = records;
            while let Some((page, left)) = Page::of(rest)? {
                pages.push(page);
                rest = left;
            }
        }
        Ok(Self(pages))
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Page> {
        self.0.iter()
    }
}

impl Page {
    /// As many of one node's records, sorted by id, as go on one page, and the rest; `None` when there are none.
    fn of(records: &[Record]) -> Result<Option<(Self, &[Record])>> {
        let Some(first) = records.first() else { return Ok(None) };
        let until = first.id.time().checked_add(MOST_SPAN).unwrap_or_default();
        let mut bytes = 0;
        let fits = |record: &&Record| {
            let room = bytes < FULL_BYTES && record.id.time() < until && hour(record.id) == hour(first.id);
            bytes += record.run.text_bytes();
            room
        };
        let taken = records.iter().take(FULL_RECORDS).take_while(fits).count();
        let (records, rest) = records.split_at(taken);
        let mut used = Used::default();
        let mut causes = BTreeSet::new();
        for record in records {
            used.add(&record.run);
            causes.extend(record.cause().map(Cause::name));
        }
        let causes: Vec<&str> = causes.into_iter().collect();
        let body = form::write(records).map_err(|error| StorageError::Invalid(error.to_string()))?;
        let page = Self {
            tenant: first.tenant.clone(),
            node: first.node.clone(),
            first: first.id,
            last: records.last().unwrap_or(first).id,
            causes: if causes.is_empty() { String::new() } else { format!(",{},", causes.join(",")) },
            used,
            body,
        };
        Ok(Some((page, rest)))
    }

    /// The beginning of the hour in which its runs began, in milliseconds.
    pub(super) fn hour(&self) -> i64 {
        hour(self.first)
    }
}

fn hour(id: RunId) -> i64 {
    id.time().as_millisecond() / HOUR * HOUR
}

/// The records of a row, the oldest first.
pub(super) fn decode(row: &AnyRow) -> Result<Vec<Record>> {
    let body: Vec<u8> = row.try_get("body").map_err(|error| damaged("body", &error))?;
    form::read(&body, &parsed(row, "tenant")?, &parsed(row, "node")?).map_err(|error| damaged("body", &error))
}
