//! What a revision may reach besides its event.

use std::sync::Arc;

use model::{Grant, HttpGrant, KeyValueGrant};

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
    /// These grants; requests go out by `egress`, and entries are in `store`.
    pub fn new(grants: &[Grant], egress: Arc<dyn Egress>, store: Arc<dyn KeyValue>) -> Self {
        let mut granted = Granted { http: Vec::new(), egress, key_value: Vec::new(), store };
        for grant in grants {
            match grant {
                Grant::Http(grant) => granted.http.push(grant.clone()),
                Grant::KeyValue(grant) => granted.key_value.push(*grant),
            }
        }
        Self((!grants.is_empty()).then(|| Arc::new(granted)))
    }

    pub(crate) const fn granted(&self) -> Option<&Arc<Granted>> {
        self.0.as_ref()
    }
}
