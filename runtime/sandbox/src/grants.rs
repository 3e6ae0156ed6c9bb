//! What a revision may reach besides its event.

use std::sync::Arc;

use model::{BotBreak, Grant, HttpGrant, KeyValueGrant, Outcome, Run};

use crate::egress::Egress;
use crate::key_value::KeyValue;

/// A revision's grants, with what is behind them. Cheap to clone; by default nothing is granted.
#[derive(Clone, Default)]
pub struct Grants(Option<Arc<Granted>>);

pub(crate) struct Granted {
    pub(crate) http: Vec<HttpGrant>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) key_value: Vec<KeyValueGrant>,
    pub(crate) store: Arc<dyn KeyValue>,
}

impl Grants {
    /// These grants; requests go out by `egress`, which knows the connections that are granted, and entries are in `store`.
    pub fn new(grants: &[Grant], egress: Arc<dyn Egress>, store: Arc<dyn KeyValue>) -> Self {
        let mut granted = Granted { http: Vec::new(), egress, key_value: Vec::new(), store };
        for grant in grants {
            match grant {
                Grant::Http(grant) => granted.http.push(grant.clone()),
                Grant::Connection(_) => {}
                Grant::KeyValue(grant) => granted.key_value.push(*grant),
            }
        }
        Self((!grants.is_empty()).then(|| Arc::new(granted)))
    }

    /// Takes what is secret out of what is known of a run: a service may have told the guest its credential, and the guest its log. For whoever
    /// shows a run or keeps a record of it; the platform gets the reply as it is.
    pub fn redact(&self, run: &mut Run) {
        let Some(granted) = &self.0 else { return };
        let redact = |text: &mut String| {
            if let Some(redacted) = granted.egress.redact(text) {
                *text = redacted;
            }
        };
        run.log.lines.iter_mut().for_each(|line| redact(&mut line.text));
        for call in &mut run.http_calls {
            redact(&mut call.path);
            call.refused.iter_mut().chain(&mut call.failed).for_each(redact);
        }
        match &mut run.outcome {
            Outcome::BotBreak(BotBreak { detail, .. }) => redact(detail),
            Outcome::Reply(reply) => {
                if let Some(redacted) = granted.egress.redact(reply.as_str()) {
                    *reply = reply.redacted(redacted);
                }
            }
        }
    }

    pub(crate) const fn granted(&self) -> Option<&Arc<Granted>> {
        self.0.as_ref()
    }
}
