//! Connections: what leaves for the origin of one gets its credential here, outside of the sandbox, at the last moment.
//!
//! They are found anew for each request, so a change of theirs needs no new revision; and no guest can name another's, for a revision's way
//! out knows the connections of its own tenant that it is granted, and no others.

mod credential;
mod oauth2;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use model::{ConnectionName, ConnectionSettings, Grant, TenantId};
use sandbox::egress::{Egress, EgressError, Fault, RequestBody, ResponseBody, Sending};
use storage::OpenConnection;
use tracing::error;
use url::Url;
use zeroize::Zeroizing;

use crate::per_tenant::{Cell, Former, Known, PerTenant};

pub(crate) use credential::{Credential, must_be_path};
pub(crate) use report::Report;

/// The connections of one host's tenants.
pub(crate) type Connections = PerTenant<OfTenant>;

/// One tenant's.
#[derive(Default)]
pub(crate) struct OfTenant {
    by_name: BTreeMap<ConnectionName, Arc<Connection>>,
    former: Former<Arc<Connection>>,
}

/// A connection, ready for use.
pub(crate) struct Connection {
    stored: model::Connection,
    secret: Zeroizing<String>,
    credential: Credential,
}

/// A revision's way out: its tenant's, and the connections that it is granted.
struct Granted {
    way_out: Arc<dyn Egress>,
    of_tenant: Arc<Cell<OfTenant>>,
    names: Vec<ConnectionName>,
}

/// The way out by one connection.
struct Authorized {
    way_out: Arc<dyn Egress>,
    connection: Arc<Connection>,
}

impl Connections {
    /// The way out of a revision with these grants.
    pub(crate) fn way_out(&self, tenant: &TenantId, grants: &[Grant], way_out: Arc<dyn Egress>) -> Arc<dyn Egress> {
        let name = |grant: &Grant| match grant {
            Grant::Connection(name) => Some(name.clone()),
            Grant::Http(_) | Grant::KeyValue(_) | Grant::State(_) | Grant::Config | Grant::Secret(_) => None,
        };
        let names: Vec<ConnectionName> = grants.iter().filter_map(name).collect();
        if names.is_empty() {
            return way_out;
        }
        Arc::new(Granted { way_out, of_tenant: self.of(tenant), names })
    }

    /// One connection, as this host uses it.
    pub(crate) fn find(&self, tenant: &TenantId, name: &ConnectionName) -> Option<Arc<Connection>> {
        self.of(tenant).load().known.by_name.get(name).cloned()
    }
}

impl Known for OfTenant {
    type Part = OpenConnection;

    fn tenant(part: &OpenConnection) -> &TenantId {
        &part.tenant
    }

    fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What has not changed keeps its tokens.
    fn with(&self, opened: Vec<OpenConnection>) -> Self {
        let mut by_name = BTreeMap::new();
        for one in opened {
            let (tenant, name) = (one.tenant.clone(), one.connection.name.clone());
            let unchanged = self.by_name.get(&name).filter(|known| known.is(&one)).cloned();
            match unchanged.map_or_else(|| Connection::new(one).map(Arc::new), Ok) {
                Ok(connection) => drop(by_name.insert(name, connection)),
                Err(why) => error!(%tenant, %name, why, "a connection cannot be used: set it anew"),
            }
        }
        let is_gone = |one: &&Arc<Connection>| by_name.get(&one.stored.name).is_none_or(|now| !Arc::ptr_eq(now, one));
        let former = self.former.and(self.by_name.values().filter(is_gone).cloned());
        Self { by_name, former }
    }
}

impl Connection {
    fn new(OpenConnection { connection, secret, .. }: OpenConnection) -> Result<Self, String> {
        let credential = Credential::new(&connection.settings, &secret)?;
        Ok(Self { stored: connection, secret, credential })
    }

    fn is(&self, other: &OpenConnection) -> bool {
        self.stored == other.connection && self.secret == other.secret
    }

    const fn settings(&self) -> &ConnectionSettings {
        &self.stored.settings
    }

    /// Adds the credential to a request, whatever the guest wrote in its place, and sends it.
    async fn send(
        &self,
        mut request: Request<RequestBody>,
        way_out: &Arc<dyn Egress>,
    ) -> Result<Response<ResponseBody>, EgressError> {
        match &self.credential {
            Credential::Header(header) => {
                header.write(request.headers_mut());
                way_out.send(request).await
            }
            Credential::Query(parameter) => {
                let uri = parameter.write(request.uri())?;
                *request.uri_mut() = uri;
                way_out.send(request).await
            }
            Credential::Signature(signature) => {
                let mut request = whole(request).await?;
                let fields = signature.fields(request.body())?;
                fields.into_iter().for_each(|(name, value)| drop(request.headers_mut().insert(name, value)));
                way_out.send(request.map(body)).await
            }
            Credential::Token(tokens) => {
                let request = whole(request).await?;
                let token = tokens.current(way_out).await?;
                let response = way_out.send(token.on(&request).map(body)).await?;
                if response.status() != http::StatusCode::UNAUTHORIZED {
                    return Ok(response);
                }
                match tokens.instead_of(&token, way_out).await? {
                    Some(token) => way_out.send(token.on(&request).map(body)).await,
                    None => Ok(response),
                }
            }
        }
    }
}

impl Egress for Granted {
    fn send(&self, request: Request<RequestBody>) -> Sending<'_> {
        self.way_out.send(request)
    }

    /// Where several lead to the same origin, the one that is granted first.
    fn by_connection(&self, url: &Url) -> Option<Arc<dyn Egress>> {
        let of_tenant = self.of_tenant.load();
        let mut granted = self.names.iter().filter_map(|name| of_tenant.known.by_name.get(name));
        let leads_there = |settings: &ConnectionSettings| settings.enabled && settings.origin.is_of(url);
        let connection = granted.find(|connection| leads_there(connection.settings()))?;
        let (way_out, connection) = (Arc::clone(&self.way_out), Arc::clone(connection));
        Some(Arc::new(Authorized { way_out, connection }))
    }

    fn redact(&self, text: &str) -> Option<String> {
        let OfTenant { by_name, former } = &self.of_tenant.load().known;
        let former = former.iter().filter(|one| self.names.contains(&one.stored.name));
        let granted = self.names.iter().filter_map(|name| by_name.get(name)).chain(former);
        granted.fold(None, |redacted, connection| {
            connection.credential.redact(redacted.as_deref().unwrap_or(text)).or(redacted)
        })
    }
}

impl Egress for Authorized {
    fn send(&self, request: Request<RequestBody>) -> Sending<'_> {
        Box::pin(self.connection.send(request, &self.way_out))
    }

    fn by_connection(&self, _: &Url) -> Option<Arc<dyn Egress>> {
        None
    }

    fn redact(&self, text: &str) -> Option<String> {
        self.connection.credential.redact(text)
    }
}

/// A request with all of its body, of which the sandbox counts every byte.
async fn whole(request: Request<RequestBody>) -> Result<Request<Bytes>, EgressError> {
    let (head, body) = request.into_parts();
    let collected = body.collect().await;
    let collected = collected
        .map_err(|why| EgressError::new(Fault::Incomplete, format!("the request was not finished ({why})")))?;
    Ok(Request::from_parts(head, collected.to_bytes()))
}

fn body(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// What could not be added, and why.
fn no_credential(why: impl Into<String>) -> EgressError {
    EgressError::new(Fault::NoCredential, why)
}
