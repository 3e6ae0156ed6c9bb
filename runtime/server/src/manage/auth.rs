//! Who calls, and whether they may: nobody without a key or the token, nobody beyond their role, nobody into another tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use axum::extract::{RawPathParams, Request, State as Shared};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use model::{Actor, Role, TenantId};

use super::problem::Problem;
use crate::state::State;

/// Wrong keys that are looked at in one second; whoever shows more is told to wait.
const WRONG_KEYS_PER_SECOND: u32 = 20;

/// What stands before a route.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) state: Arc<State>,
    /// The least role that may pass.
    pub(super) role: Role,
}

/// Who has passed.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) actor: Actor,
    pub(super) role: Role,
    /// The one tenant that it may see; `None` for operators, who may see all.
    pub(super) tenant: Option<TenantId>,
}

/// What may be answered before a route of this role is reached. Storage is asked for the key.
pub(super) const fn failures(role: Role) -> &'static [StatusCode] {
    const ALL: &[StatusCode] = &[
        StatusCode::UNAUTHORIZED,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::FORBIDDEN,
    ];
    match role {
        // Whoever has a key may.
        Role::Read => ALL.split_at(4).0,
        Role::Deploy | Role::Admin | Role::Operator => ALL,
    }
}

/// Lets a request through whose caller may do what it asks for. Another tenant's things don't exist for it.
pub(super) async fn check(
    Shared(guard): Shared<Guard>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = caller(&guard.state, request.headers()).await?;
    let named = params.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value);
    if let (Some(own), Some(named)) = (&caller.tenant, named)
        && own.as_str() != named
    {
        return Err(Problem::not_found("there is no such tenant"));
    }
    if caller.role < guard.role {
        return Err(Problem::forbidden(format!(
            "this takes the role `{}`, and your key has `{}`: ask for another key",
            guard.role, caller.role
        )));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn caller(state: &State, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(shown) = bearer(headers) else {
        return Err(Problem::unauthorized(match state.token.load_full() {
            Some(_) => "show a key or the management token: authorization: Bearer …",
            None => {
                "show a key: authorization: Bearer …; for the first one, set `token` in [management] of the configuration, or \
                 CODENODE_MANAGEMENT_TOKEN"
            }
        }));
    };
    if state.token.load_full().is_some_and(|token| token.matches(shown.as_bytes())) {
        return Ok(Caller { actor: Actor::operator(), role: Role::Operator, tenant: None });
    }
    if let Some(key) = state.stored.storage.authenticate(shown, Timestamp::now()).await? {
        return Ok(Caller { actor: Actor::key(&key.id), role: key.role, tenant: key.tenant });
    }
    Err(if state.wrong_keys.is_flood(Timestamp::now()) {
        Problem::too_many_requests("too many wrong keys: wait a second")
    } else {
        Problem::unauthorized("this key is wrong, was removed or has expired")
    })
}

/// Counts wrong keys, second by second.
#[derive(Debug, Default)]
pub(crate) struct WrongKeys {
    second: AtomicU64,
    count: AtomicU32,
}

impl WrongKeys {
    /// Counts one more, and says whether there are too many. Two threads at the turn of a second may count one too few.
    fn is_flood(&self, now: Timestamp) -> bool {
        let second = now.as_second().unsigned_abs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.count.store(0, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed) >= WRONG_KEYS_PER_SECOND
    }
}

/// The one bearer token that the request shows, if it shows any.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case("Bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_are_counted_second_by_second() {
        let (wrong, now) = (WrongKeys::default(), Timestamp::from_second(1000).unwrap());
        assert!((0..WRONG_KEYS_PER_SECOND).all(|_| !wrong.is_flood(now)));
        assert!(wrong.is_flood(now));
        assert!(!wrong.is_flood(Timestamp::from_second(1001).unwrap()));
    }
}
