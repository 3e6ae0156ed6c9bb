//! From a row's columns to types that cannot be wrong. What does not fit was not written by us: it is damaged.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::{Result, StorageError};

pub(crate) fn text(row: &AnyRow, name: &str) -> Result<String> {
    row.try_get(name).map_err(|error| damaged(name, &error))
}

pub(crate) fn optional_text(row: &AnyRow, name: &str) -> Result<Option<String>> {
    row.try_get(name).map_err(|error| damaged(name, &error))
}

/// A text with a form of its own.
pub(crate) fn parsed<T: FromStr<Err: Display>>(row: &AnyRow, name: &str) -> Result<T> {
    text(row, name)?.parse().map_err(|error: T::Err| damaged(name, &error))
}

pub(crate) fn optional_parsed<T: FromStr<Err: Display>>(row: &AnyRow, name: &str) -> Result<Option<T>> {
    let text = optional_text(row, name)?;
    text.map(|text| text.parse()).transpose().map_err(|error: T::Err| damaged(name, &error))
}

pub(crate) fn number<T: TryFrom<i64, Error: Display>>(row: &AnyRow, name: &str) -> Result<T> {
    let number: i64 = row.try_get(name).map_err(|error| damaged(name, &error))?;
    number.try_into().map_err(|error: T::Error| damaged(name, &error))
}

pub(crate) fn optional_number<T: TryFrom<i64, Error: Display>>(row: &AnyRow, name: &str) -> Result<Option<T>> {
    let number: Option<i64> = row.try_get(name).map_err(|error| damaged(name, &error))?;
    number.map(T::try_from).transpose().map_err(|error| damaged(name, &error))
}

pub(crate) fn time(row: &AnyRow, name: &str) -> Result<Timestamp> {
    Timestamp::from_millisecond(number(row, name)?).map_err(|error| damaged(name, &error))
}

pub(crate) fn optional_time(row: &AnyRow, name: &str) -> Result<Option<Timestamp>> {
    let millis: Option<i64> = optional_number(row, name)?;
    millis.map(Timestamp::from_millisecond).transpose().map_err(|error| damaged(name, &error))
}

pub(crate) fn damaged(name: &str, why: &impl Display) -> StorageError {
    StorageError::Damaged(format!("column `{name}`: {why}"))
}

/// As it is stored: whole milliseconds.
pub(crate) fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// Lists, limits and counts, as the databases take them.
pub(crate) fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
