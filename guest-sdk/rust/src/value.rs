//! How a detected value is read, whichever of its shapes the platform has sent: bare, or wrapped as `{"value": …}`.

use std::ops::RangeInclusive;

use serde_json::Value;

const YEARS: RangeInclusive<u16> = 1..=9999;
const LARGEST_WHOLE: u64 = 1 << 53;

/// A day of the calendar, in the platform's object form `{"dd": 23, "mm": 12, "yy": 2019}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day, in the platform's object form `{"hh": 3, "mm": 0, "nn": "pm"}`, as the 24-hour clock shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
}

/// A span of numbers, in the platform's object form `{"min_value": "200000", "max_value": null, "unit": "rupees"}`; an end that is `null`
/// or absent is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range<'a> {
    /// The lower end.
    pub min: Option<f64>,
    /// The upper end.
    pub max: Option<f64>,
    /// What is counted, as the platform names it.
    pub unit: Option<&'a str>,
}

impl Date {
    /// A day that the Gregorian calendar has, of the years 1 to 9999, or none. Months and days count from 1.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_one = YEARS.contains(&year) && (1..=days_of(year, month)).contains(&day);
        is_one.then_some(Self { year, month, day })
    }

    /// 1 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub const fn day(self) -> u8 {
        self.day
    }

    pub(crate) fn read(value: &Value) -> Option<Self> {
        let part = |name| integer(bare(value).get(name)?);
        Self::new(part("yy")?.try_into().ok()?, part("mm")?.try_into().ok()?, part("dd")?.try_into().ok()?)
    }
}

impl Time {
    /// A time of day on the 24-hour clock, or none.
    pub fn new(hour: u8, minute: u8) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self { hour, minute })
    }

    /// 0 to 23.
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// 0 to 59.
    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// `nn` is `am`, `pm`, or `hrs` for the 24-hour clock. Any other word (`df` is a distance from now) is not a time of day.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let value = bare(value);
        let part = |name| u8::try_from(integer(value.get(name)?)?).ok();
        let (hour, minute) = (part("hh")?, part("mm")?);
        let half = value.get("nn").and_then(Value::as_str).unwrap_or_default();
        let hour = match half {
            "" | "hrs" => hour,
            "am" | "pm" if hour > 12 => return None,
            "am" => hour % 12,
            "pm" => hour % 12 + 12,
            _ => return None,
        };
        Self::new(hour, minute)
    }
}

impl<'a> Range<'a> {
    pub(crate) fn read(value: &'a Value) -> Option<Self> {
        let object = bare(value).as_object()?;
        if !object.contains_key("min_value") && !object.contains_key("max_value") {
            return None;
        }
        let end = |name| number(object.get(name)?);
        Some(Self { min: end("min_value"), max: end("max_value"), unit: object.get("unit").and_then(Value::as_str) })
    }
}

/// The value itself, without the wrapping `{"value": …}`.
pub(crate) fn bare(value: &Value) -> &Value {
    value.get("value").unwrap_or(value)
}

/// A string, bare or wrapped.
pub(crate) fn text(value: &Value) -> Option<&str> {
    bare(value).as_str()
}

/// A whole number up to 2^53, or a string that spells one in the digits 0 to 9; bare or wrapped.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match bare(value) {
        Value::Number(number) => number.as_i64().map_or_else(|| whole(number.as_f64()?), exact),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A finite number, or a string that spells one; bare or wrapped.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match bare(value) {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Beyond 2^53 a number of JSON is not the same for everybody: a float no longer tells neighbours apart.
pub(crate) fn exact(number: i64) -> Option<i64> {
    (number.unsigned_abs() <= LARGEST_WHOLE).then_some(number)
}

/// `2.0` is whole.
fn whole(number: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number without a fraction; what does not fit is not exact, and is cut to what is not either"
    )]
    (number.fract() == 0.0).then_some(number as i64).and_then(exact)
}

fn days_of(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_numbers_are_read_bare_and_wrapped() {
        assert_eq!(text(&json!("71")), Some("71"));
        assert_eq!(text(&json!({"value": "71", "unit": "quantity"})), Some("71"));
        assert_eq!(text(&json!({"value": null})), None);
        assert_eq!(integer(&json!({"value": " 71 "})), Some(71));
        assert_eq!(integer(&json!(2.0)), Some(2));
        assert_eq!(integer(&json!(2.5)), None);
        assert_eq!(integer(&json!(1e30)), None);
        assert_eq!(number(&json!("2.5")), Some(2.5));
        assert_eq!(number(&json!("inf")), None);
        assert_eq!(number(&json!(["2"])), None);
    }

    #[test]
    fn values_are_read_as_in_every_other_language() {
        let table: Value = serde_json::from_str(include_str!("../../../tests/fixtures/values.json")).unwrap();
        let read = |kind: &str, read: fn(&Value) -> Value| {
            for row in table[kind].as_array().unwrap() {
                assert_eq!(read(&row[0]), row[1], "{kind} {}", row[0]);
            }
        };
        read("integer", |value| json!(integer(value)));
        read("date", |value| json!(Date::read(value).map(|date| (date.year(), date.month(), date.day()))));
        read("time", |value| json!(Time::read(value).map(|time| (time.hour(), time.minute()))));
        assert_eq!((integer(&json!(1_i64 << 53)), integer(&json!((1_i64 << 53) + 1))), (Some(1 << 53), None));
    }

    #[test]
    fn a_date_is_one_that_the_calendar_has() {
        let date = |day, month, year| {
            Date::read(&json!({"value": {"dd": day, "mm": month, "yy": year, "type": "date"}, "normal": true}))
        };
        assert_eq!(date(23, 12, 2019), Date::new(2019, 12, 23));
        assert_eq!(Date::read(&json!({"dd": "29", "mm": "2", "yy": "2024"})), Date::new(2024, 2, 29));
        assert_eq!(
            (date(29, 2, 2023), date(29, 2, 1900), date(0, 1, 2020), date(1, 13, 2020), date(1, -1, 2020)),
            (None, None, None, None, None)
        );
        assert_eq!(Date::read(&json!("23/12/2019")), None);
        assert!(Date::new(2019, 12, 23) < Date::new(2020, 1, 1));
    }

    #[test]
    fn a_time_is_on_the_24_hour_clock() {
        let time = |hour, half| Time::read(&json!({"hh": hour, "mm": 5, "nn": half}));
        assert_eq!(time(3, "pm"), Time::new(15, 5));
        assert_eq!((time(12, "am"), time(12, "pm")), (Time::new(0, 5), Time::new(12, 5)));
        assert_eq!((time(15, "hrs"), time(15, "")), (Time::new(15, 5), Time::new(15, 5)));
        assert_eq!((time(15, "pm"), time(2, "df"), time(24, "hrs")), (None, None, None));
        assert_eq!(Time::read(&json!({"value": {"hh": "9", "mm": "30", "nn": null}})), Time::new(9, 30));
    }

    #[test]
    fn a_range_may_be_open() {
        let value = json!({"min_value": "200000", "max_value": null, "unit": "rupees"});
        assert_eq!(Range::read(&value), Some(Range { min: Some(200_000.0), max: None, unit: Some("rupees") }));
        assert_eq!(Range::read(&json!({"value": "2", "unit": "rupees"})), None);
        assert_eq!(Range::read(&json!("2")), None);
    }
}
