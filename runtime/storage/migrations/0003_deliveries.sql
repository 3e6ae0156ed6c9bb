-- Events that must not run twice. A delivery is claimed by the run that is about to begin for it, and answered when that is over; who finds it claimed
-- waits until it is answered, or takes it over when the claim has run out.
CREATE TABLE deliveries (
    tenant TEXT NOT NULL,
    node TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    status BIGINT,
    cause TEXT,
    body BYTEA,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (tenant, node, digest)
);

CREATE INDEX deliveries_by_expiry ON deliveries (expires_at);
