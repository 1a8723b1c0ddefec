//! Tenants.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use crate::answer::{ObjectKind, Outcome, Rejection};
use crate::command::TenantSpec;
use crate::name::Name;
use crate::ordered::Key;
use crate::record::{Tenant, TenantId};
use crate::view::EventKind;

use super::State;
use super::store::{Happened, Who};

impl State {
    pub(super) fn tenant_create(
        &mut self,
        who: Who<'_>,
        spec: &TenantSpec,
    ) -> Result<Outcome, Rejection> {
        let Ok(id) = self.tenant_find(&spec.name) else {
            let id = self.tenant_commit(who, spec);
            return Ok(Outcome::TenantCreated(Box::new(self.tenant_view(id))));
        };
        match difference(&self.tables.tenant(id).spec, spec) {
            None => Ok(Outcome::TenantRepeated(Box::new(self.tenant_view(id)))),
            Some(field) => Err(Rejection::AlreadyExists {
                kind: ObjectKind::Tenant,
                name: spec.name.clone(),
                field: String::from(field),
            }),
        }
    }

    fn tenant_commit(&mut self, who: Who<'_>, spec: &TenantSpec) -> TenantId {
        let revision = self.revision_open();
        let wall_ms = self.meta.clock.wall_ms();
        let text = self.text_intern(spec.name.as_str());
        self.meta.serial = self.meta.serial.saturating_add(1);
        let id = self.tenant_insert(Tenant {
            spec: Arc::new(spec.clone()),
            serial: self.meta.serial,
            text,
            revision,
            created_revision: revision,
            created_at_ms: wall_ms,
            updated_at_ms: wall_ms,
        });
        self.tenant_event(who, EventKind::TenantCreated, &spec.name);
        id
    }

    pub(super) fn tenant_delete(
        &mut self,
        who: Who<'_>,
        tenant: &Name,
    ) -> Result<Outcome, Rejection> {
        let id = self.tenant_find(tenant)?;
        let usage = self.index.usage(id).copied().unwrap_or_default();
        if usage.pools > 0 || usage.claims > 0 {
            return Err(Rejection::TenantInUse {
                tenant: tenant.clone(),
                pools: usage.pools,
                claims: usage.claims,
            });
        }
        self.revision_open();
        let view = self.tenant_view(id);
        self.scopes_forget(id);
        self.tenant_remove(id);
        self.tenant_event(who, EventKind::TenantDeleted, tenant);
        Ok(Outcome::TenantDeleted(Box::new(view)))
    }

    fn tenant_event(&mut self, who: Who<'_>, kind: EventKind, tenant: &Name) {
        let tenant = self.text_intern(tenant.as_str());
        self.event_push(
            who,
            Happened {
                kind,
                tenant,
                pool: None,
                generation: 0,
                hold: 0,
                ends: false,
            },
        );
    }

    /// The tenant of that name, or the refusal.
    pub(super) fn tenant_find(&self, name: &Name) -> Result<TenantId, Rejection> {
        let found = self
            .index
            .tenant_names
            .get(Key::text(0, name.as_str()), self.tables.tenant_keys());
        found.ok_or_else(|| Rejection::TenantNotFound {
            tenant: name.clone(),
        })
    }
}

/// The first field in which a tenant differs from what is asked.
fn difference(there: &TenantSpec, spec: &TenantSpec) -> Option<&'static str> {
    let fields = [
        ("labels", there.labels == spec.labels),
        ("annotations", there.annotations == spec.annotations),
        ("description", there.description == spec.description),
        ("quota", there.quota == spec.quota),
    ];
    fields
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}
