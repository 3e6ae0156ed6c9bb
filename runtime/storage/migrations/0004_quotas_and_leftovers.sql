-- What an operator lets a tenant use, as far as that is not what each host gives to everybody. `version` counts the changes of it.
ALTER TABLE tenants ADD COLUMN quota TEXT NOT NULL DEFAULT '{}';

ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- Bytes in the object store that no tenant may have, and since when: noted before they are put there, and when they are deleted.
CREATE TABLE unowned (
    sha256 TEXT PRIMARY KEY,
    since BIGINT NOT NULL
);

CREATE INDEX unowned_by_time ON unowned (since);

-- Whether anybody has an artifact is asked before its bytes are removed, and which revisions run it before it is.
CREATE INDEX artifacts_by_name ON artifacts (sha256);

CREATE INDEX revisions_of_artifact ON revisions (tenant, artifact);

CREATE INDEX audit_by_time ON audit (at);
