-- What every other room stands on: one cluster, one revision, the change feed, sealed keys, who may
-- call, and the audit chain. All tables belong to turnpike_owner; the role that the server runs as
-- gets only the rights named here.

CREATE TABLE turnpike.cluster (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    cluster_id uuid NOT NULL,
    trust_domain text NOT NULL CHECK (trust_domain <> ''),
    epoch bigint NOT NULL DEFAULT 1 CHECK (epoch >= 1),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE turnpike.cluster IS 'The one row that says which cluster this database belongs to';

-- One locked row is the total order of configuration: a sequence would not be, since its values
-- become visible in another order than they were drawn, and with gaps.
CREATE TABLE turnpike.revision (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    revision bigint NOT NULL CHECK (revision >= 0)
);
COMMENT ON TABLE turnpike.revision IS 'The revision of the last configuration change';
INSERT INTO turnpike.revision (revision) VALUES (0);

CREATE TABLE turnpike.changes (
    revision bigint NOT NULL CHECK (revision >= 1),
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    kind text NOT NULL,
    key text NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    at timestamptz NOT NULL,
    PRIMARY KEY (revision, ordinal)
);
COMMENT ON TABLE turnpike.changes IS 'The feed of configuration changes, in commit order';

-- The root key is stored once per key-encryption key, so that a recovery wrap can stand beside the
-- one that is in use.
CREATE TABLE turnpike.root_keys (
    version integer NOT NULL CHECK (version >= 1),
    kek_provider text NOT NULL,
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, kek_id)
);
COMMENT ON TABLE turnpike.root_keys IS 'The root key, wrapped by keys that this database never holds';

CREATE TABLE turnpike.keyring (
    purpose text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    root_version integer NOT NULL,
    wrapped bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'retiring')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (purpose, version)
);
CREATE UNIQUE INDEX keyring_one_active ON turnpike.keyring (purpose) WHERE state = 'active';
COMMENT ON TABLE turnpike.keyring IS 'One key per purpose and version, wrapped by the root key';

CREATE TABLE turnpike.policies (
    name text PRIMARY KEY,
    document jsonb NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
COMMENT ON TABLE turnpike.policies IS 'Rights on the API; a row whose mac does not hold counts as absent';

CREATE TABLE turnpike.tokens (
    accessor uuid PRIMARY KEY,
    token_hmac bytea NOT NULL UNIQUE,
    display_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('bootstrap', 'service')),
    policies text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
CREATE INDEX tokens_created ON turnpike.tokens (created_at, accessor);
COMMENT ON TABLE turnpike.tokens IS 'Who may call the API; tokens themselves are kept as keyed hashes only';

-- Rows that grant but whose MAC does not hold: they count as absent everywhere, also in the views.
CREATE TABLE turnpike.row_alarms (
    table_name text NOT NULL,
    key text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, key)
);
COMMENT ON TABLE turnpike.row_alarms IS 'Rows that somebody inserted or altered behind the back of the server';

-- A row without a status is a claim: the request is being worked on.
CREATE TABLE turnpike.idempotency_keys (
    principal text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_age ON turnpike.idempotency_keys (created_at);
COMMENT ON TABLE turnpike.idempotency_keys IS 'Answers of creations, to be given again to a repeated request';

CREATE TABLE turnpike.servers (
    name text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    api_address text NOT NULL,
    agent_address text NOT NULL,
    version text NOT NULL
);
COMMENT ON TABLE turnpike.servers IS 'The replicas of the control plane and when each was last seen';

-- Absent and empty are different to the hash, so the optional columns are NULL when absent; detail
-- is text and not jsonb because the hash covers its very bytes.
CREATE TABLE turnpike.audit (
    writer text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    id uuid NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    actor text NOT NULL,
    action text NOT NULL,
    resource text NOT NULL,
    outcome text NOT NULL,
    reason text,
    source_address text,
    request_id text,
    revision bigint,
    detail text,
    PRIMARY KEY (writer, sequence)
);
CREATE INDEX audit_at ON turnpike.audit (at, id);
CREATE INDEX audit_resource ON turnpike.audit (resource, at);
CREATE INDEX audit_actor ON turnpike.audit (actor, at);
COMMENT ON TABLE turnpike.audit IS 'The audit trail, hash-chained per writer';

CREATE TABLE turnpike.audit_heads (
    writer text PRIMARY KEY,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE turnpike.audit_heads IS 'The end of each chain; locked while a record is appended';

GRANT SELECT, INSERT ON turnpike.cluster TO turnpike_runtime;
GRANT UPDATE (epoch) ON turnpike.cluster TO turnpike_runtime;
GRANT SELECT, UPDATE ON turnpike.revision TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.changes TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.root_keys TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE ON turnpike.keyring TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.policies TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE ON turnpike.tokens TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.row_alarms TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.idempotency_keys TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.servers TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.audit TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE ON turnpike.audit_heads TO turnpike_runtime;
