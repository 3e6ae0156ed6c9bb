//! A page: the records of one node's runs within a few minutes, one JSON text a line, compressed.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{NodeId, Record, RunId, TenantId, Used};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::column::damaged;
use crate::{Result, StorageError};

/// Between the first run of a page and its last; so a record is found by its id alone.
pub(super) const MOST_SPAN: Duration = Duration::from_secs(600);
/// A page is closed when its text has grown to this.
const FULL_BYTES: usize = 1 << 20;
/// The text of one page: a full one, and the largest record there can be.
const MOST_BYTES: usize = 32 << 20;
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
    /// [`StorageError::Invalid`]: a record that has no JSON form; none that we make is one.
    pub fn of(mut records: Vec<Record>) -> Result<Self> {
        records.sort_by_key(|record| record.id);
        let mut of_node: BTreeMap<(&TenantId, &NodeId), Vec<&Record>> = BTreeMap::new();
        for record in &records {
            of_node.entry((&record.tenant, &record.node)).or_default().push(record);
        }
        let mut pages = Vec::new();
        for records in of_node.into_values() {
            let mut rest = records.as_slice();
            while let Some((page, left)) = Page::of(rest)? {
                pages.push(page);
                rest = left;
            }
        }
        Ok(Self(pages))
    }

    /// What they take in memory, about.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|page| size_of::<Page>() + page.body.len()).sum()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Page> {
        self.0.iter()
    }
}

impl Page {
    /// As many of one node's records, sorted by id, as go on one page, and the rest; `None` when there are none.
    fn of<'a, 'r>(records: &'a [&'r Record]) -> Result<Option<(Self, &'a [&'r Record])>> {
        let Some((first, _)) = records.split_first() else { return Ok(None) };
        let until = first.id.time().checked_add(MOST_SPAN).unwrap_or_default();
        let (mut text, mut used, mut causes, mut taken) = (Vec::new(), Used::default(), Vec::new(), 0);
        let mut last = first.id;
        for record in records {
            if text.len() >= FULL_BYTES || record.id.time() >= until || hour(record.id) != hour(first.id) {
                break;
            }
            serde_json::to_writer(&mut text, record).map_err(|error| StorageError::Invalid(error.to_string()))?;
            text.push(b'\n');
            used.add(&record.run);
            causes.extend(record.cause());
            last = record.id;
            taken += 1;
        }
        let mut names: Vec<&str> = causes.into_iter().map(model::Cause::name).collect();
        names.sort_unstable();
        names.dedup();
        let page = Self {
            tenant: first.tenant.clone(),
            node: first.node.clone(),
            first: first.id,
            last,
            causes: if names.is_empty() { String::new() } else { format!(",{},", names.join(",")) },
            used,
            body: lz4_flex::compress_prepend_size(&text),
        };
        Ok(Some((page, records.get(taken..).unwrap_or_default())))
    }

    /// The beginning of the hour in which its runs began, in milliseconds.
    pub(super) fn hour(&self) -> i64 {
        hour(self.first)
    }
}

fn hour(id: RunId) -> i64 {
    id.time().as_millisecond() / HOUR * HOUR
}

/// The records of a row's `body`, the oldest first.
pub(super) fn decode(row: &AnyRow) -> Result<Vec<Record>> {
    let body: Vec<u8> = row.try_get("body").map_err(|error| damaged("body", &error))?;
    let (bytes, compressed) = lz4_flex::block::uncompressed_size(&body).map_err(|error| damaged("body", &error))?;
    if bytes > MOST_BYTES {
        return Err(damaged("body", &"it is larger than any page"));
    }
    let text = lz4_flex::decompress(compressed, bytes).map_err(|error| damaged("body", &error))?;
    let records = serde_json::Deserializer::from_slice(&text).into_iter();
    records.collect::<std::result::Result<_, _>>().map_err(|error| damaged("body", &error))
}
