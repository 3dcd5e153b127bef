//! Apps across orgs: who knows a client id, and what an org makes of another org's app.

use std::sync::Arc;

use super::denied::Denied;
use super::tenant::Tenant;
use crate::access::{App, AppKind, Installation};
use crate::faults::glob;
use crate::server::State;

/// The app of that client id: as an org behind this address has it, else as any org has it.
pub(super) fn any_app(state: &State, client_id: &str) -> Option<Arc<App>> {
    let mut all = state.tenants().iter().chain(state.all.iter());
    all.find_map(|tenant| tenant.app(client_id))
}

/// The app as this org has it; a connected app of another org is one that nobody installed here.
pub(super) fn app(state: &State, tenant: &Tenant, client_id: &str) -> Result<Arc<App>, Denied> {
    if let Some(app) = tenant.app(client_id) {
        return Ok(app);
    }
    let elsewhere = state.all.iter().find_map(|tenant| tenant.app(client_id)).ok_or(Denied::UnknownClient)?;
    match elsewhere.kind {
        AppKind::External => Err(Denied::NotInThisOrg),
        AppKind::Connected => {
            Ok(Arc::new(App { installation: Installation::Uninstalled, ..elsewhere.as_ref().clone() }))
        }
    }
}

/// Whether a callback is one of the app's.
pub(super) fn is_callback(app: &App, redirect_uri: &str) -> bool {
    app.callbacks.iter().any(|callback| glob(callback, redirect_uri))
}
