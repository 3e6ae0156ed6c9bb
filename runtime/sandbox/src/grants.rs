//! What a revision may reach besides its event.

use std::sync::Arc;

use model::{Grant, HttpGrant};

use crate::egress::Egress;

/// A revision's grants, with what is behind them. Cheap to clone; by default nothing is granted.
#[derive(Clone, Default)]
pub struct Grants(Option<Arc<Granted>>);

pub(crate) struct Granted {
    pub(crate) http: Vec<HttpGrant>,
    pub(crate) egress: Arc<dyn Egress>,
}

impl Grants {
    /// These grants; requests go out by `egress`.
    pub fn new(grants: &[Grant], egress: Arc<dyn Egress>) -> Self {
        let http: Vec<HttpGrant> = grants.iter().map(|Grant::Http(grant)| grant.clone()).collect();
        Self((!http.is_empty()).then(|| Arc::new(Granted { http, egress })))
    }

    pub(crate) const fn granted(&self) -> Option<&Arc<Granted>> {
        self.0.as_ref()
    }
}
