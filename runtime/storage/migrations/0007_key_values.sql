-- What handlers keep between their runs. A bucket is one node's, `node/` and its id, or the one that a tenant's nodes share, `tenant`. No foreign
-- keys: nodes of the configuration file keep things too. Keys are bytes, so that they sort alike in both databases. A value that reads as a whole
-- number is kept as one, in `number`, and its `value` is empty. `version` is drawn anew whenever the entry is written. `value` is the last column,
-- for SQLite reads through it to what comes after.
CREATE TABLE key_values (
    tenant TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key BYTEA NOT NULL,
    version BIGINT NOT NULL,
    number BIGINT,
    bytes BIGINT NOT NULL,
    expires_at BIGINT,
    value BYTEA NOT NULL,
    PRIMARY KEY (tenant, bucket, key)
);

-- What a tenant has is counted along this, without a look at the values.
CREATE INDEX key_values_by_tenant ON key_values (tenant, bytes);

CREATE INDEX key_values_by_expiry ON key_values (expires_at) WHERE expires_at IS NOT NULL;
