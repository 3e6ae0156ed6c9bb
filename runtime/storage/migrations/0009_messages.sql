-- The messages of tenants: texts that people edit and handlers read. A name is the key, or the key, `/` and the language; it is bytes, so that names
-- sort alike in both databases. No foreign keys to tenants: those of the configuration file have messages too. A message that was deleted stays for a
-- while without a text, `deleted_at` is set, and its versions go on where they ended.
CREATE TABLE messages (
    tenant TEXT NOT NULL,
    name BYTEA NOT NULL,
    language TEXT NOT NULL,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    action TEXT NOT NULL,
    deleted_at BIGINT,
    bytes BIGINT NOT NULL,
    description TEXT NOT NULL,
    text TEXT,
    PRIMARY KEY (tenant, name)
);

-- What a tenant has is counted along this, without a look at the texts.
CREATE INDEX messages_by_tenant ON messages (tenant, bytes) WHERE deleted_at IS NULL;

CREATE INDEX messages_by_deletion ON messages (deleted_at, tenant) WHERE deleted_at IS NOT NULL;

-- What messages were before they were what they are now.
CREATE TABLE message_versions (
    tenant TEXT NOT NULL,
    name BYTEA NOT NULL,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    action TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    description TEXT NOT NULL,
    text TEXT,
    PRIMARY KEY (tenant, name, version),
    FOREIGN KEY (tenant, name) REFERENCES messages (tenant, name) ON DELETE CASCADE
);

CREATE INDEX message_versions_by_tenant ON message_versions (tenant, bytes);
