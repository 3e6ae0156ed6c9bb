//! Looks through pages for the newest records that match.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Cause, NodeId, Record, RevisionNumber, RunId, TenantId};
use sqlx::any::AnyRow;

use super::page::decode;
use crate::column::parsed;
use crate::{Result, Storage};

/// Pages that are read at once.
const PAGES: usize = 16;
/// After as many pages a search ends, with a place where the next one goes on.
const MOST_PAGES: usize = 512;
/// The same, after records with as much text were found.
const MOST_BYTES: u64 = 32 << 20;

/// Which records somebody wants to see; what is absent matches all.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Of which node.
    pub node: Option<NodeId>,
    /// Bot breaks with this cause.
    pub cause: Option<Cause>,
    /// Of which revision.
    pub revision: Option<RevisionNumber>,
    /// Begun at this time or later.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
}

/// What a search found.
#[derive(Debug)]
pub struct FoundRuns {
    /// The newest first.
    pub records: Vec<Record>,
    /// Where the search for older ones goes on; `None` where there are none.
    pub next: Option<RunId>,
}

impl Storage {
    /// The newest `limit` records that match, of runs before `before`. It may end with fewer, or none, and a place to go on: a search does not look
    /// through everything at once.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    pub async fn runs(&self, filter: &RunFilter, before: Option<RunId>, limit: usize) -> Result<FoundRuns> {
        let until = filter.until.map(RunId::first_at);
        let end = before.into_iter().chain(until).min();
        let mut found: BTreeMap<RunId, Record> = BTreeMap::new();
        let (mut unread, mut looked_at) = (None, 0);
        loop {
            let rows = self.pages(filter, end, unread).await?;
            for row in &rows {
                let matching = decode(row)?.into_iter().filter(|record| filter.matches(record, end));
                found.extend(matching.map(|record| (record.id, record)));
            }
            looked_at += rows.len();
            // Pages overlap: whatever is older than the last one read may not be the next in line.
            unread = match rows.last() {
                Some(last) if rows.len() == PAGES => Some(parsed::<RunId>(last, "last")?),
                Some(_) | None => None,
            };
            let settled = unread.map_or(found.len(), |unread| found.range(unread..).count());
            let is_enough = settled >= limit || looked_at >= MOST_PAGES || weight(&found) >= MOST_BYTES;
            if unread.is_some() && !is_enough {
                // Of so many, the older ones cannot be shown any more.
                if let Some(oldest) = found.keys().rev().nth(limit).copied() {
                    found = found.split_off(&oldest);
                }
                continue;
            }
            let oldest = unread.unwrap_or(RunId::first_at(Timestamp::UNIX_EPOCH));
            let records: Vec<Record> =
                found.range(oldest..).rev().take(limit).map(|(_, record)| record.clone()).collect();
            let next = match records.last() {
                Some(last) if records.len() == limit && (unread.is_some() || found.len() > limit) => Some(last.id),
                Some(_) | None => unread,
            };
            return Ok(FoundRuns { records, next });
        }
    }

    /// The next pages that may hold what is wanted, the newest first.
    async fn pages(&self, filter: &RunFilter, end: Option<RunId>, unread: Option<RunId>) -> Result<Vec<AnyRow>> {
        let mut wanted = Conditions::default();
        wanted.add("tenant =", filter.tenant.as_ref().map(ToString::to_string));
        wanted.add("node =", filter.node.as_ref().map(ToString::to_string));
        wanted.add("causes LIKE", filter.cause.map(|cause| format!("%,{cause},%")));
        wanted.add("last >=", filter.since.map(|time| RunId::first_at(time).to_string()));
        wanted.add("first <", end.map(|end| end.to_string()));
        wanted.add("last <", unread.map(|unread| unread.to_string()));
        let sql =
            format!("SELECT tenant, node, last, body FROM run_pages {} ORDER BY last DESC LIMIT {PAGES}", wanted.sql);
        let query = wanted.values.into_iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), sqlx::query::Query::bind);
        self.database.read("look for run records", query.fetch_all(&self.database.pool)).await
    }
}

/// The texts of records, about.
fn weight(found: &BTreeMap<RunId, Record>) -> u64 {
    found.values().map(|record| record.run.usage.reply_bytes + record.run.usage.log_bytes).sum()
}

impl RunFilter {
    fn matches(&self, record: &Record, end: Option<RunId>) -> bool {
        end.is_none_or(|end| record.id < end)
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == record.tenant)
            && self.node.as_ref().is_none_or(|node| *node == record.node)
            && self.cause.is_none_or(|cause| Some(cause) == record.cause())
            && self.revision.is_none_or(|revision| Some(revision) == record.revision)
            && self.since.is_none_or(|since| record.id >= RunId::first_at(since))
    }
}

/// A `WHERE` that says only what is asked for, so that the databases take the fitting index.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<String>,
}

impl Conditions {
    fn add(&mut self, condition: &str, value: Option<String>) {
        let Some(value) = value else { return };
        self.values.push(value);
        let word = if self.values.len() == 1 { "WHERE" } else { " AND" };
        self.sql.push_str(&format!("{word} {condition} ${}", self.values.len()));
    }
}
