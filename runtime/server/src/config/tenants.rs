//! `[tenants.<id>]` and `[tenants.<id>.nodes.<id>]`: whose events are taken, and what runs for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ::model::{Door, Grant, GrantError, Limits, NodeId, OnBreak, Quota, TenantId};
use ipnet::IpNet;

use super::document::Section;
use super::limits;
use super::own;
use super::quota;
use super::secret;
use crate::values::Own;
use crate::webhook::signature::{Scheme, Secret, Verifier};

/// The owner of nodes.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// What it may use.
    pub quota: Quota,
    /// Private networks that its handlers may reach, besides the public Internet.
    pub private_networks: Vec<IpNet>,
    /// What runs for it.
    pub nodes: BTreeMap<NodeId, Node>,
}

/// One node: its code, who may call it, and what happens when it fails.
#[derive(Debug, Clone)]
pub struct Node {
    /// The compiled handler.
    pub artifact: PathBuf,
    /// Who may send it events.
    pub(crate) verifier: Verifier,
    /// The signatures that are accepted.
    pub schemes: Vec<Scheme>,
    /// Whether events without a signature are taken.
    pub allow_unsigned: bool,
    /// For how long an event with the same body is the same delivery.
    pub repeat_window: Option<Duration>,
    /// What one run may use.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Vec<Grant>,
    /// What is set for its handler.
    pub own: Own,
    /// Whether the chat is complete after a reply whose status is true.
    pub end_node: bool,
    /// Whether the chat goes to an agent after a bot break.
    pub human_assistance: bool,
    /// What the platform hears of a bot break.
    pub on_break: OnBreak,
}

/// What tenants and nodes inherit.
pub(super) struct Host {
    pub(super) limits: Limits,
    pub(super) quota: Quota,
}

pub(super) fn read(section: Section<'_>, host: &Host, files: &mut Vec<PathBuf>) -> BTreeMap<TenantId, Tenant> {
    let mut tenants = BTreeMap::new();
    for (name, section) in section.named_sections() {
        let id = name.parse();
        if let Err(error) = &id {
            section.wrong_here(format!("does not name a tenant: {error}"));
        }
        let tenant = read_tenant(section, host, files);
        if let Ok(id) = id {
            tenants.insert(id, tenant);
        }
    }
    tenants
}

fn read_tenant(mut section: Section<'_>, host: &Host, files: &mut Vec<PathBuf>) -> Tenant {
    let quota = quota::read(section.section("quota"), &host.quota);
    let private_networks = section.parsed_list("private_networks", |_| {
        "must be a network, such as \"10.1.0.0/16\" or \"fd00:1::/32\"".to_owned()
    });
    let mut nodes = BTreeMap::new();
    for (name, section) in section.section("nodes").named_sections() {
        let id = name.parse();
        if let Err(error) = &id {
            section.wrong_here(format!("does not name a node: {error}"));
        }
        if let (Some(node), Ok(id)) = (read_node(section, &host.limits, files), id) {
            nodes.insert(id, node);
        }
    }
    section.finish();
    Tenant { quota, private_networks, nodes }
}

fn read_node(mut section: Section<'_>, host: &Limits, files: &mut Vec<PathBuf>) -> Option<Node> {
    let artifact = section.path("artifact");
    if artifact.is_none() && !section.has("artifact") {
        section
            .wrong_key("artifact", "is missing: give the path of the compiled handler, such as \"order-status.wasm\"");
    }
    let secrets = read_secrets(&mut section, files);
    let schemes = read_schemes(&mut section);
    let allow_unsigned = section.flag("allow_unsigned");
    if !section.has("secrets") && !allow_unsigned {
        section.wrong_here(
            "has no `secrets`: give the secret that its events are signed with, such as secrets = [\"env:NAME\"], \
             or say allow_unsigned = true to take events from anybody",
        );
    }
    if !secrets.is_empty() && allow_unsigned {
        section.wrong_key("allow_unsigned", "makes the secrets useless: remove one of the two");
    }
    let verifier = Verifier::new(&schemes, &secrets, allow_unsigned).unwrap_or_else(|why| {
        section.wrong_key("secrets", format!("cannot be used: {why}"));
        Verifier::decoy()
    });
    let grants = section.parsed_list("grants", |error: GrantError| error.to_string());
    let own = own::read(&mut section, &grants, files);
    let node = Node {
        artifact: artifact.unwrap_or_default(),
        verifier,
        schemes,
        allow_unsigned,
        repeat_window: section.optional_duration_in("repeat_window", Door::REPEAT_WINDOWS),
        limits: limits::read(section.section("limits"), host),
        grants,
        own,
        end_node: section.flag("end_node"),
        human_assistance: section.flag("human_assistance"),
        on_break: read_on_break(&mut section),
    };
    section.finish();
    (!node.artifact.as_os_str().is_empty()).then_some(node)
}

fn read_secrets(section: &mut Section<'_>, files: &mut Vec<PathBuf>) -> Vec<Secret> {
    let found = section.list("secrets").unwrap_or_default();
    if section.has("secrets") && found.is_empty() && !section.says("allow_unsigned") {
        section.wrong_key(
            "secrets",
            "is empty: give one or two, or say allow_unsigned = true to take events from anybody",
        );
    }
    let mut secrets = Vec::new();
    for found in &found {
        match secret::read(section, found, files).map(|text| Secret::new(&text)) {
            Some(Ok(secret)) => secrets.push(secret),
            Some(Err(why)) => section.wrong(found, format!("cannot be used: {why}")),
            None => {}
        }
    }
    secrets
}

fn read_schemes(section: &mut Section<'_>) -> Vec<Scheme> {
    let Some(found) = section.list("schemes") else {
        return vec![Scheme::Sha1, Scheme::Sha256];
    };
    if found.is_empty() {
        section
            .wrong_key("schemes", "is empty, so no signature could be right: leave it out for \"sha1\" and \"sha256\"");
        return vec![Scheme::Sha1, Scheme::Sha256];
    }
    let mut schemes = Vec::new();
    for found in &found {
        match found.text().map(str::parse) {
            Some(Ok(scheme)) => schemes.push(scheme),
            Some(Err(_)) | None => section.wrong(found, "must hold only \"sha1\", \"sha256\" or \"standard\""),
        }
    }
    if schemes.is_empty() { vec![Scheme::Sha1, Scheme::Sha256] } else { schemes }
}

fn read_on_break(section: &mut Section<'_>) -> OnBreak {
    let says = section.choice("on_break", &[("fail", false), ("say", true)], false);
    let text = section.text("bot_break_text").filter(|text| !text.trim().is_empty());
    match (says, text) {
        (true, Some(text)) => OnBreak::Say(text),
        (true, None) => {
            section.wrong_key("bot_break_text", "is missing: on_break = \"say\" needs the text that the user is shown");
            OnBreak::Fail
        }
        (false, None) => OnBreak::Fail,
        (false, Some(_)) => {
            section.wrong_key("bot_break_text", "would never be said: add on_break = \"say\", or remove it");
            OnBreak::Fail
        }
    }
}
