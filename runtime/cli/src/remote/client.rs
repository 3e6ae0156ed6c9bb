use std::cell::OnceCell;
use std::fmt;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use model::{NodeId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, IF_MATCH};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use ureq::{Agent, SendBody, Timeout};
use uuid::Uuid;

use super::address::Address;
use super::problem::Problem;
use crate::output;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// For the way to a server, and for its consent to an upload.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// For an answer that needs no compiler.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// For one that may: an upload, a promotion, a test.
const COMPILE_TIME: Duration = Duration::from_secs(600);
/// The largest answer that is read: a thousand runs, or a reply at its cap with its log.
const MAX_ANSWER_BYTES: u64 = 32 << 20;

/// A server, asked with one key.
pub(crate) struct Client {
    server: Address,
    authorization: HeaderValue,
    tenant: Option<TenantId>,
    json: bool,
    /// What a command must add to come to the same place.
    hint: String,
    agent: OnceCell<Agent>,
}

/// What a server said, as it said it.
pub(crate) struct Answer {
    status: u16,
    body: String,
}

/// The server said nothing.
#[derive(Debug)]
struct Silence {
    why: String,
    /// The connection was lost, and nobody knows what came of the request.
    is_loss: bool,
}

impl Silence {
    fn lost(why: String) -> Self {
        Self { why, is_loss: true }
    }

    fn new(why: String) -> Self {
        Self { why, is_loss: false }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Silence {}

/// Whether the same question may be answered later: nobody answered, or somebody said "not now".
pub(crate) fn may_pass(error: &anyhow::Error) -> bool {
    error.is::<Silence>() || error.downcast_ref().is_some_and(Problem::may_pass)
}

impl Client {
    /// # Errors
    /// If no key looks so.
    pub(crate) fn new(
        server: Address,
        key: &str,
        tenant: Option<TenantId>,
        json: bool,
        hint: String,
    ) -> anyhow::Result<Self> {
        let authorization = HeaderValue::from_str(&format!("Bearer {key}"));
        let mut authorization =
            authorization.ok().context("the key holds characters that no key has: copy it again")?;
        authorization.set_sensitive(true);
        if server.is_exposed() {
            eprintln!("warning: the key goes to {server} for everybody on the way to read: use https://");
        }
        Ok(Self { server, authorization, tenant, json, hint, agent: OnceCell::new() })
    }

    pub(crate) const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    pub(crate) const fn server(&self) -> &Address {
        &self.server
    }

    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// A command for the same server and tenant, to type next.
    pub(crate) fn command(&self, rest: &str) -> String {
        format!("codenode {rest}{}", self.hint)
    }

    /// The path of something that belongs to the tenant.
    ///
    /// # Errors
    /// If nobody said which tenant.
    pub(crate) fn of_tenant(&self, rest: &str) -> anyhow::Result<String> {
        let tenant = self.tenant.as_ref().context(
            "which tenant? Say --tenant ID, set CODENODE_TENANT, or keep one with `codenode login URL --tenant ID`",
        )?;
        Ok(format!("/v1/tenants/{tenant}{rest}"))
    }

    /// The path of something that belongs to a node of the tenant.
    ///
    /// # Errors
    /// If nobody said which tenant.
    pub(crate) fn of_node(&self, node: &NodeId, rest: &str) -> anyhow::Result<String> {
        self.of_tenant(&format!("/nodes/{node}{rest}"))
    }

    /// Says that something is gone.
    ///
    /// # Errors
    /// If whoever reads has gone.
    pub(crate) fn deleted(&self, what: &str, id: &str) -> anyhow::Result<ExitCode> {
        let mut out = anstream::stdout();
        if self.json {
            writeln!(out, "{}", serde_json::json!({ "deleted": { what: id } }))?;
        } else {
            writeln!(out, "deleted the {what} {id}")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// # Errors
    /// A [`Problem`] where the server says no, here and below; another error where it says nothing.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, HeaderMap::new(), SendBody::none(), ANSWER_TIME)?.good()
    }

    /// The answer to a question that has an answer with every status.
    ///
    /// # Errors
    /// If the server says nothing.
    pub(crate) fn get_any(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, HeaderMap::new(), SendBody::none(), ANSWER_TIME)
    }

    pub(crate) fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, path, HeaderMap::new(), SendBody::none(), ANSWER_TIME)?.good()
    }

    /// Posts what makes something.
    pub(crate) fn create(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.post_once(path, body, ANSWER_TIME)
    }

    /// Posts what changes something in another way each time, and may take the compiler.
    pub(crate) fn change(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.post_once(path, body, COMPILE_TIME)
    }

    /// Puts something in the place of whatever is there.
    pub(crate) fn replace(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.send_json(Method::PUT, path, body, HeaderMap::new(), ANSWER_TIME)
    }

    /// Puts a file in the place of whatever is there, once the server has said that it wants it.
    pub(crate) fn put_file(&self, path: &str, media_type: &'static str, bytes: &[u8]) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        self.send(Method::PUT, path, headers, SendBody::from_reader(&mut &*bytes), COMPILE_TIME)?.good()
    }

    /// Puts settings in the place of those of the version that was seen.
    pub(crate) fn put(&self, path: &str, body: &impl Serialize, seen: u64) -> anyhow::Result<Answer> {
        self.send_json(Method::PUT, path, body, seen_version(seen)?, ANSWER_TIME)
    }

    /// Posts what the server may have to compile something for; of the version that was seen, where that matters.
    pub(crate) fn post_patiently(
        &self,
        path: &str,
        body: &impl Serialize,
        seen: Option<u64>,
    ) -> anyhow::Result<Answer> {
        let headers = seen.map(seen_version).transpose()?.unwrap_or_default();
        self.send_json(Method::POST, path, body, headers, COMPILE_TIME)
    }

    /// Posts bytes, `length` of them, once the server has said that it wants them: a refusal would be lost among them.
    pub(crate) fn upload(&self, path: &str, mut bytes: impl Read, length: u64) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        self.send(Method::POST, path, headers, SendBody::from_reader(&mut bytes), COMPILE_TIME)?.good()
    }

    /// Posts with a fresh key, by which the server knows the request should it come again: where the connection was lost, it does.
    fn post_once(&self, path: &str, body: &impl Serialize, deadline: Duration) -> anyhow::Result<Answer> {
        let key = HeaderValue::from_str(&Uuid::now_v7().to_string())?;
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, key)]);
        let send = || self.send_json(Method::POST, path, body, headers.clone(), deadline);
        match send() {
            Err(lost) if lost.downcast_ref().is_some_and(|silence: &Silence| silence.is_loss) => {
                send().map_err(|error| {
                    let is_under_way = error.downcast_ref().is_some_and(Problem::is_under_way);
                    if is_under_way { lost } else { error }
                })
            }
            told => told,
        }
    }

    fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        mut headers: HeaderMap,
        deadline: Duration,
    ) -> anyhow::Result<Answer> {
        let body = serde_json::to_vec(body)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.send(method, path, headers, SendBody::from_reader(&mut body.as_slice()), deadline)?.good()
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: SendBody<'_>,
        deadline: Duration,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server)).body(body)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        let agent = self.agent.get_or_init(|| self.agent());
        let request = agent.configure_request(request).timeout_global(Some(deadline)).build();
        let mut response = agent.run(request).map_err(|error| self.silence(&error, deadline))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let body = body.map_err(|error| Silence::lost(format!("the answer of {} broke off: {error}", self.server)))?;
        Ok(Answer { status, body })
    }

    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_await_100(Some(CONNECT_TIME))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("codenode/", env!("CARGO_PKG_VERSION")));
        if self.server.is_loopback() { config.proxy(None).build().into() } else { config.build().into() }
    }

    /// Why there is no answer, and what to do.
    fn silence(&self, error: &ureq::Error, deadline: Duration) -> Silence {
        let server = &self.server;
        let elsewhere = "start one with `codenode serve`, or name another with --server or CODENODE_SERVER";
        if matches!(error, ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return Silence::new(format!("no server answers at {server}: {elsewhere}"));
        }
        if matches!(
            error,
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve)
                | ureq::Error::ConnectionFailed
                | ureq::Error::HostNotFound
        ) {
            return Silence::new(format!("{server} cannot be reached ({error}): {elsewhere}"));
        }
        if matches!(error, ureq::Error::Timeout(_)) {
            let deadline = humantime::format_duration(deadline);
            return Silence::new(format!(
                "{server} did not answer within {deadline}; what it was asked to do may be done"
            ));
        }
        Silence::lost(format!("{server} did not answer: {error}"))
    }
}

/// A request to the version of something that was seen.
fn seen_version(seen: u64) -> anyhow::Result<HeaderMap> {
    Ok(HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_str(&format!("\"{seen}\""))?)]))
}

impl Answer {
    /// The JSON of an answer to a good request, without control characters that a terminal would obey.
    pub(crate) fn json(&self) -> String {
        output::json(&self.body)
    }

    /// What it says, as it is: not for a terminal, which would obey it.
    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    /// What it says, as far as it is needed here.
    ///
    /// # Errors
    /// If the server speaks another language.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.body).with_context(|| {
            format!(
                "the server's answer makes no sense to codenode {}: is it another version? `--json` prints what it says",
                env!("CARGO_PKG_VERSION")
            )
        })
    }

    /// Writes it for a script, or reads it and writes it for a person.
    ///
    /// # Errors
    /// If the server speaks another language, or whoever reads has gone.
    pub(crate) fn show<T: DeserializeOwned>(
        &self,
        client: &Client,
        person: impl FnOnce(&mut dyn Write, T) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = anstream::stdout();
        if client.json() {
            writeln!(out, "{}", self.json())?;
        } else {
            person(&mut out, self.read()?)?;
        }
        Ok(())
    }

    /// Whether the server did what it was asked to.
    pub(crate) const fn is_good(&self) -> bool {
        matches!(self.status, 200..300)
    }

    fn good(self) -> anyhow::Result<Self> {
        if self.is_good() {
            return Ok(self);
        }
        match serde_json::from_str::<Problem>(&self.body) {
            Ok(problem) => Err(problem.into()),
            Err(_) => {
                let why = format!(
                    "the answer has the status {} and is not the management side's: is the URL that of the front door, or of another program?",
                    self.status
                );
                // A proxy speaks for a server that is away.
                Err(if self.status >= 500 { Silence::new(why).into() } else { anyhow!(why) })
            }
        }
    }
}
