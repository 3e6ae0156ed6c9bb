-- One text for SQLite and PostgreSQL: whole numbers are BIGINT, times are milliseconds since 1970, bytes are hexadecimal.
-- Lists come in the order of `created`, the number of the change that made the row, for names sort differently in the two.

CREATE TABLE clock (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL
);

INSERT INTO clock (id, sequence) VALUES (1, 0);

-- Every change, whose number is its transaction's tick of the clock: so it is the log for people, and the feed for hosts.
CREATE TABLE audit (
    sequence BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    tenant TEXT,
    node TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
);

CREATE INDEX audit_of_tenant ON audit (tenant, sequence);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    tenant TEXT REFERENCES tenants (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    label TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);

CREATE INDEX api_keys_of_tenant ON api_keys (tenant, created);

CREATE TABLE nodes (
    tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    door TEXT NOT NULL,
    live BIGINT,
    previous BIGINT,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE artifacts (
    tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    inspection TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (tenant, sha256)
);

CREATE TABLE revisions (
    tenant TEXT NOT NULL,
    node TEXT NOT NULL,
    number BIGINT NOT NULL,
    artifact TEXT NOT NULL,
    settings TEXT NOT NULL,
    note TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (tenant, node, number),
    FOREIGN KEY (tenant, node) REFERENCES nodes (tenant, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant, artifact) REFERENCES artifacts (tenant, sha256)
);

CREATE TABLE webhook_secrets (
    tenant TEXT NOT NULL,
    node TEXT NOT NULL,
    id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    retires_at BIGINT,
    PRIMARY KEY (tenant, node, id),
    FOREIGN KEY (tenant, node) REFERENCES nodes (tenant, id) ON DELETE CASCADE
);
