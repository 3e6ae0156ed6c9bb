-- Requests that must not be carried out twice, by the key that their caller gave them. One is claimed before it is carried out, and what it is answered
-- with is kept, sealed, in the transaction of the change that it makes; a claim that was left unanswered runs out.
CREATE TABLE idempotency_keys (
    actor TEXT NOT NULL,
    digest TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    claim TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sealed TEXT,
    PRIMARY KEY (actor, digest)
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
