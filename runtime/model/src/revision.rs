use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Actor, ArtifactId, ConfigOverrides, Grant, Limits, Overrides};

/// The most that one revision can be granted.
const MAX_GRANTS: usize = 64;
/// The most values of its configuration that one revision can have for itself.
const MAX_CONFIG: usize = 64;

/// One state of a node's code: an artifact with all that it runs under. It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Revision {
    /// Counts the node's revisions, from 1.
    pub number: RevisionNumber,
    /// What runs.
    pub artifact: ArtifactId,
    /// What it runs under.
    pub settings: Settings,
    /// Why there is this revision, in its author's words.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Actor,
}

/// What a revision's code runs under, and what follows from its replies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Instead of the host's limits.
    pub limits: Overrides,
    /// What it may reach besides its event; nothing else.
    pub grants: Vec<Grant>,
    /// Instead of what the node's and the tenant's configuration say under the same keys.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub config: ConfigOverrides,
    /// Whether the chat is complete after a reply whose status is true.
    pub end_node: bool,
    /// Whether the chat goes to an agent after a bot break.
    pub human_assistance: bool,
    /// What the platform hears of a bot break.
    pub on_break: OnBreak,
}

impl Settings {
    /// What nobody may set so: one line for each.
    pub fn problems(&self) -> Vec<String> {
        let limits = Limits::DEFAULT.with(&self.limits).err().unwrap_or_default();
        let mut problems: Vec<String> = limits.iter().map(ToString::to_string).collect();
        if matches!(&self.on_break, OnBreak::Say(text) if text.trim().is_empty()) {
            problems.push("`on_break` says nothing: give the text that the user is shown".to_owned());
        }
        if self.grants.len() > MAX_GRANTS {
            problems.push(format!("there are {} grants: the most is {MAX_GRANTS}", self.grants.len()));
        }
        if self.config.len() > MAX_CONFIG {
            problems.push(format!("`config` has {} values: the most is {MAX_CONFIG}", self.config.len()));
        }
        if !self.config.is_empty() && !self.grants.contains(&Grant::Config) {
            problems.push("`config` would be read by nobody: grant `config` too".to_owned());
        }
        problems
    }
}

/// What the platform hears of a bot break: written `"fail"` or `{"say": "…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBreak {
    /// A status other than 200, so that it breaks or hands over in its own way.
    #[default]
    Fail,
    /// 200 with this text, which hides the failure from it.
    Say(String),
}

/// A revision's number within its node: 1 is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u32, minimum = 1)]
pub struct RevisionNumber(u32);

impl RevisionNumber {
    /// The first revision of a node.
    pub const FIRST: Self = Self(1);
}

impl From<RevisionNumber> for u32 {
    fn from(number: RevisionNumber) -> Self {
        number.0
    }
}

impl TryFrom<u32> for RevisionNumber {
    type Error = NotARevision;

    fn try_from(number: u32) -> Result<Self, NotARevision> {
        if number == 0 { Err(NotARevision) } else { Ok(Self(number)) }
    }
}

impl FromStr for RevisionNumber {
    type Err = NotARevision;

    fn from_str(text: &str) -> Result<Self, NotARevision> {
        text.parse::<u32>().map_err(|_| NotARevision)?.try_into()
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The text or number is no revision's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a revision is named by its number: 1, 2, 3 …")]
pub struct NotARevision;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let settings = Settings {
            limits: Overrides { cpu_time: Some(Duration::from_millis(200)), ..Overrides::default() },
            on_break: OnBreak::Say("Sorry.".to_owned()),
            ..Settings::default()
        };
        let written = serde_json::to_string(&settings).unwrap();
        assert!(written.contains(r#""on_break":{"say":"Sorry."}"#), "{written}");
        assert_eq!(serde_json::from_str::<Settings>(&written).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"is_admin":true}"#).is_err());
    }

    #[test]
    fn every_setting_out_of_range_is_named() {
        let settings = Settings {
            limits: Overrides { handles: Some(0), wall_time: Some(Duration::from_secs(60)), ..Overrides::default() },
            on_break: OnBreak::Say(" ".to_owned()),
            ..Settings::default()
        };
        assert_eq!(settings.problems().len(), 3);
        assert_eq!(Settings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn grants_are_few() {
        let with = |count| Settings {
            grants: (0..count).map(|at| format!("http:a{at}.example").parse().unwrap()).collect(),
            ..Settings::default()
        };
        assert_eq!(with(MAX_GRANTS).problems(), Vec::<String>::new());
        assert_eq!(with(MAX_GRANTS + 1).problems(), ["there are 65 grants: the most is 64"]);
    }

    #[test]
    fn a_configuration_is_small_and_for_somebody() {
        let with = |count, grants| Settings {
            grants,
            config: (0..count)
                .map(|at| (format!("k{at}").parse().unwrap(), serde_json::json!(at).try_into().unwrap()))
                .collect(),
            ..Settings::default()
        };
        assert_eq!(with(MAX_CONFIG, vec![Grant::Config]).problems(), Vec::<String>::new());
        assert_eq!(with(MAX_CONFIG + 1, vec![Grant::Config]).problems(), ["`config` has 65 values: the most is 64"]);
        assert_eq!(with(1, Vec::new()).problems(), ["`config` would be read by nobody: grant `config` too"]);
    }

    #[test]
    fn revisions_count_from_one() {
        assert!("0".parse::<RevisionNumber>().is_err());
        assert!("-1".parse::<RevisionNumber>().is_err());
        assert_eq!("1".parse(), Ok(RevisionNumber::FIRST));
        assert!(serde_json::from_str::<RevisionNumber>("0").is_err());
    }
}
