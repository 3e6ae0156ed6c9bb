//! File descriptors: as many as the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::config::Config;

/// Log, cache, watches, listeners and the compiler's pipes.
const OTHERS: u64 = 100;

/// Raises the limit to what the process may have at most, and says so if that is too few for the configuration.
pub(crate) fn raise_limit(config: &Config) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        warn!(%error, "the limit of open files cannot be raised");
    }
    let needed = needed(config);
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < needed) {
        warn!(
            limit,
            needed,
            "this process may open fewer files than front_door.connections, egress.connections and sandbox.loaded may take: raise `ulimit -n` (LimitNOFILE=)"
        );
    }
}

fn needed(config: &Config) -> u64 {
    let connections = u64::try_from(config.front_door.connections).unwrap_or(u64::MAX);
    [config.egress.connections, config.sandbox.loaded]
        .map(u64::from)
        .into_iter()
        .fold(OTHERS, u64::saturating_add)
        .saturating_add(connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_loaded_code_need_a_descriptor_each() {
        assert_eq!(needed(&Config::default()), 10_000 + 1_024 + 1_000 + OTHERS);
    }

    #[test]
    fn the_limit_is_raised_to_the_most_that_there_is() {
        raise_limit(&Config::default());
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
