//! What a revision may reach besides its event.

use std::sync::Arc;

use model::{BotBreak, Details, Grant, HttpGrant, KeyValueGrant, Outcome, Run};

use crate::egress::Egress;
use crate::key_value::KeyValue;
use crate::values::Values;

/// A revision's grants, with what is behind them. Cheap to clone; by default nothing is granted.
#[derive(Clone, Default)]
pub struct Grants(Option<Arc<Granted>>);

pub(crate) struct Granted {
    pub(crate) http: Vec<HttpGrant>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) key_value: Vec<KeyValueGrant>,
    pub(crate) store: Arc<dyn KeyValue>,
    pub(crate) values: Arc<dyn Values>,
    /// What is remembered, none of it twice.
    pub(crate) state: Vec<Details>,
}

impl Grants {
    /// These grants; requests go out by `egress`, which knows the connections that are granted, entries are in `store`, and `values` are what is
    /// granted of the configuration.
    pub fn new(grants: &[Grant], egress: Arc<dyn Egress>, store: Arc<dyn KeyValue>, values: Arc<dyn Values>) -> Self {
        let (http, key_value, state) = (Vec::new(), Vec::new(), Vec::new());
        let mut granted = Granted { http, egress, key_value, store, values, state };
        for grant in grants {
            match grant {
                Grant::Http(grant) => granted.http.push(grant.clone()),
                // Its embedder looks after these.
                Grant::Connection(_) | Grant::Config | Grant::Secret(_) => {}
                Grant::KeyValue(grant) => granted.key_value.push(*grant),
                Grant::State(details) => granted.state.push(*details),
            }
        }
        granted.state.sort_unstable();
        granted.state.dedup();
        Self((!grants.is_empty()).then(|| Arc::new(granted)))
    }

    /// Takes what is secret out of what is known of a run: a guest may have told its log what it was granted, or what a service told it of its
    /// credential. For whoever shows a run or keeps a record of it; the platform gets the reply as it is.
    pub fn redact(&self, run: &mut Run) {
        let Some(granted) = &self.0 else { return };
        let redact = |text: &mut String| {
            if let Some(redacted) = granted.redact(text) {
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
                if let Some(redacted) = granted.redact(reply.as_str()) {
                    *reply = reply.redacted(redacted);
                }
            }
        }
    }

    pub(crate) const fn granted(&self) -> Option<&Arc<Granted>> {
        self.0.as_ref()
    }

    /// The grants of a revision of whose chats something is remembered.
    pub(crate) fn remembering(&self) -> Option<&Granted> {
        self.0.as_deref().filter(|granted| !granted.state.is_empty())
    }
}

impl Granted {
    /// The text without what is secret; `None`: there is nothing secret in it.
    fn redact(&self, text: &str) -> Option<String> {
        let redacted = self.egress.redact(text);
        self.values.redact(redacted.as_deref().unwrap_or(text)).or(redacted)
    }
}
