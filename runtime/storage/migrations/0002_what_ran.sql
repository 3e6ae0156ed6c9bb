-- Run records, many of one node's in a row, for a row each would cost more than most runs. No foreign keys: nodes of the configuration file
-- have records too. `first` and `last` are the ids of runs, and ids sort by time.
CREATE TABLE run_pages (
    tenant TEXT NOT NULL,
    node TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    causes TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (tenant, node, last)
);

CREATE INDEX run_pages_of_tenant ON run_pages (tenant, last);

CREATE INDEX run_pages_by_time ON run_pages (last);

-- What each node used in each hour; `hour` is its beginning.
CREATE TABLE usage (
    tenant TEXT NOT NULL,
    node TEXT NOT NULL,
    hour BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    bot_breaks BIGINT NOT NULL,
    wall_micros BIGINT NOT NULL,
    cpu_micros BIGINT NOT NULL,
    event_bytes BIGINT NOT NULL,
    reply_bytes BIGINT NOT NULL,
    log_bytes BIGINT NOT NULL,
    PRIMARY KEY (tenant, node, hour)
);
