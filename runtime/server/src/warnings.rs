//! What an operator should know at the start: where everything is, and what is not safe.

use std::net::SocketAddr;

use tracing::{info, warn};

use crate::config::{Config, DEFAULT_FILE};
use crate::webhook::signature::Scheme;

/// Logs where things are, and what is unsafe about it.
pub(crate) fn log(config: &Config, front_door: SocketAddr, management: SocketAddr) {
    let file = config.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    info!(config = file, cache = %config.sandbox.cache_directory.display(), workers = config.front_door.worker_count(), "starting");
    if config.tenants.values().all(|tenant| tenant.nodes.is_empty()) {
        warn!(
            "no nodes are configured: those that are stored serve; `codenode deploy` adds one, or a [tenants.<id>.nodes.<id>] section in {DEFAULT_FILE}"
        );
    }
    for text in unsafe_settings(config, front_door, management) {
        warn!("{text}");
    }
}

/// One sentence for each setting that is unsafe.
fn unsafe_settings(config: &Config, front_door: SocketAddr, management: SocketAddr) -> Vec<String> {
    let mut texts = Vec::new();
    if config.front_door.tls.is_none() && !front_door.ip().is_loopback() {
        texts.push(format!(
            "the front door speaks plain HTTP on {front_door}: put a proxy with TLS before it, or configure [front_door.tls]"
        ));
    }
    if !management.ip().is_loopback() {
        texts.push(format!("the management side is plain HTTP on {management}: let only a trusted network reach it"));
    }
    if config.management.open_metrics && !management.ip().is_loopback() {
        texts.push(format!(
            "whoever can reach {management} learns the names of tenants and nodes at /metrics: remove open_metrics"
        ));
    }
    if config.management.token.is_none() {
        texts.push(
            "no management token is configured, so /v1/runs, /v1/nodes and /metrics answer nobody: set management.token"
                .to_owned(),
        );
    }
    for (id, tenant) in config.tenants.iter().filter(|(_, tenant)| !tenant.private_networks.is_empty()) {
        let networks: Vec<String> = tenant.private_networks.iter().map(ToString::to_string).collect();
        texts.push(format!(
            "handlers of {id} may reach {}: see that nothing there trusts its callers",
            networks.join(", ")
        ));
    }
    for (tenant, node_id, node) in config
        .tenants
        .iter()
        .flat_map(|(id, tenant)| tenant.nodes.iter().map(move |(node_id, node)| (id, node_id, node)))
    {
        if node.allow_unsigned {
            texts
                .push(format!("{tenant}/{node_id} takes unsigned events: whoever can reach the front door can run it"));
        } else if node.schemes.iter().all(|scheme| *scheme == Scheme::Sha1) {
            texts.push(format!(
                "{tenant}/{node_id} accepts only sha1 signatures: add \"sha256\" once its platform sends them"
            ));
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    #[test]
    fn every_unsafe_setting_is_named() {
        let text = r#"
            [management]
            open_metrics = true
            [tenants.acme]
            private_networks = ["10.1.7.0/24", "fd00::/8"]
            [tenants.acme.nodes.OPEN]
            artifact = "a.wasm"
            allow_unsigned = true
            [tenants.acme.nodes.OLD]
            artifact = "a.wasm"
            secrets = ["hidden"]
            schemes = ["sha1"]
            [tenants.acme.nodes.GOOD]
            artifact = "a.wasm"
            secrets = ["hidden"]
        "#;
        let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
        insta::assert_snapshot!(unsafe_settings(&config, everywhere, everywhere).join("\n"), @r#"
        the front door speaks plain HTTP on 0.0.0.0:80: put a proxy with TLS before it, or configure [front_door.tls]
        the management side is plain HTTP on 0.0.0.0:80: let only a trusted network reach it
        whoever can reach 0.0.0.0:80 learns the names of tenants and nodes at /metrics: remove open_metrics
        no management token is configured, so /v1/runs, /v1/nodes and /metrics answer nobody: set management.token
        handlers of acme may reach 10.1.7.0/24, fd00::/8: see that nothing there trusts its callers
        acme/OLD accepts only sha1 signatures: add "sha256" once its platform sends them
        acme/OPEN takes unsigned events: whoever can reach the front door can run it
        "#);
    }

    #[test]
    fn a_safe_configuration_is_not_nagged_about() {
        let text = "[management]\ntoken = \"0123456789abcdef\"";
        let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(unsafe_settings(&config, here, here), Vec::<String>::new());
    }
}
