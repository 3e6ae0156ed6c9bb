//! Connections: what leaves for the origin of one gets its credential here, outside of the sandbox, at the last moment.
//!
//! They are found anew for each request, so a change of theirs needs no new revision; and no guest can name another's, for a revision's way
//! out knows the connections of its own tenant that it is granted, and no others.

mod credential;
mod oauth2;
mod redaction;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use model::{ConnectionName, ConnectionSettings, Grant, TenantId};
use sandbox::egress::{Egress, EgressError, Fault, RequestBody, ResponseBody, Sending};
use storage::OpenConnection;
use tokio::time::Instant;
use tracing::error;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use credential::{Credential, must_be_path};
pub(crate) use report::Report;

/// What is not used any more is redacted for as long: twice as long as a run that used it can take.
const REMEMBERED_TIME: Duration = Duration::from_secs(60);
/// Connections of a tenant that are remembered so, the last ones.
const MAX_FORMER: usize = 256;

/// The connections of one host's tenants.
#[derive(Default)]
pub(crate) struct Connections(Mutex<HashMap<TenantId, Arc<OfTenant>>>);

/// One tenant's, replaced as a whole.
#[derive(Default)]
struct OfTenant(ArcSwap<Known>);

#[derive(Default)]
struct Known {
    /// The number of the last change that is in it.
    sequence: u64,
    by_name: BTreeMap<ConnectionName, Arc<Connection>>,
    /// Those that were changed or deleted, and when: runs that have used them may still go on.
    former: Vec<(Instant, Arc<Connection>)>,
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
    of_tenant: Arc<OfTenant>,
    names: Vec<ConnectionName>,
}

/// The way out by one connection.
struct Authorized {
    way_out: Arc<dyn Egress>,
    connection: Arc<Connection>,
}

impl Connections {
    /// Takes over the connections of a tenant, or of all, as they were after the change of this number. What has not changed keeps its tokens.
    pub(crate) fn replace(&self, tenant: Option<&TenantId>, sequence: u64, opened: Vec<OpenConnection>) {
        let mut tenants = self.tenants();
        let mut new: HashMap<TenantId, Vec<OpenConnection>> = HashMap::new();
        let in_scope = tenants.keys().filter(|id| tenant.is_none_or(|tenant| tenant == *id));
        new.extend(in_scope.map(|id| (id.clone(), Vec::new())));
        for one in opened {
            new.entry(one.tenant.clone()).or_default().push(one);
        }
        for (id, connections) in new {
            tenants.entry(id).or_default().replace(sequence, connections);
        }
        tenants.retain(|_, of_tenant| Arc::strong_count(of_tenant) > 1 || !of_tenant.0.load().by_name.is_empty());
    }

    /// The way out of a revision with these grants.
    pub(crate) fn way_out(&self, tenant: &TenantId, grants: &[Grant], way_out: Arc<dyn Egress>) -> Arc<dyn Egress> {
        let name = |grant: &Grant| match grant {
            Grant::Connection(name) => Some(name.clone()),
            Grant::Http(_) | Grant::KeyValue(_) => None,
        };
        let names: Vec<ConnectionName> = grants.iter().filter_map(name).collect();
        if names.is_empty() {
            return way_out;
        }
        let of_tenant = Arc::clone(self.tenants().entry(tenant.clone()).or_default());
        Arc::new(Granted { way_out, of_tenant, names })
    }

    /// One connection, as this host uses it.
    pub(crate) fn find(&self, tenant: &TenantId, name: &ConnectionName) -> Option<Arc<Connection>> {
        self.tenants().get(tenant)?.0.load().by_name.get(name).cloned()
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<OfTenant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfTenant {
    fn replace(&self, sequence: u64, opened: Vec<OpenConnection>) {
        let old = self.0.load_full();
        if old.sequence > sequence {
            return;
        }
        let mut by_name = BTreeMap::new();
        for one in opened {
            let (tenant, name) = (one.tenant.clone(), one.connection.name.clone());
            let unchanged = old.by_name.get(&name).filter(|known| known.is(&one)).cloned();
            match unchanged.map_or_else(|| Connection::new(one).map(Arc::new), Ok) {
                Ok(connection) => drop(by_name.insert(name, connection)),
                Err(why) => error!(%tenant, %name, why, "a connection cannot be used: set it anew"),
            }
        }
        let is_gone = |one: &&Arc<Connection>| by_name.get(&one.stored.name).is_none_or(|now| !Arc::ptr_eq(now, one));
        let gone = old.by_name.values().filter(is_gone).map(|one| (Instant::now(), Arc::clone(one)));
        let remembered = old.former.iter().filter(|(at, _)| at.elapsed() < REMEMBERED_TIME).cloned();
        let mut former: Vec<_> = remembered.chain(gone).collect();
        former.drain(..former.len().saturating_sub(MAX_FORMER));
        self.0.store(Arc::new(Known { sequence, by_name, former }));
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
        let known = self.of_tenant.0.load();
        let mut granted = self.names.iter().filter_map(|name| known.by_name.get(name));
        let leads_there = |settings: &ConnectionSettings| settings.enabled && settings.origin.is_of(url);
        let connection = granted.find(|connection| leads_there(connection.settings()))?;
        let (way_out, connection) = (Arc::clone(&self.way_out), Arc::clone(connection));
        Some(Arc::new(Authorized { way_out, connection }))
    }

    fn redact(&self, text: &str) -> Option<String> {
        let known = self.of_tenant.0.load();
        let former = known.former.iter().map(|(_, one)| one).filter(|one| self.names.contains(&one.stored.name));
        let granted = self.names.iter().filter_map(|name| known.by_name.get(name)).chain(former);
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
