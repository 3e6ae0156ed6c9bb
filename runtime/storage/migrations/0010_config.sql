-- The values that tenants set for their handlers: of a node, or for all of them where `node` is empty. One that may be seen is in `value`, as JSON;
-- a secret one is in `sealed`.
CREATE TABLE config (
    tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    sealed TEXT,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (tenant, node, name)
);
