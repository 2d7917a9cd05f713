-- Who signs and what was signed. Private keys are stored only sealed (see the keyring).

CREATE TABLE turnpike.authorities (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('root', 'intermediate', 'api')),
    state text NOT NULL CHECK (state IN ('prepared', 'active', 'retired')),
    issuer uuid REFERENCES turnpike.authorities (id),
    certificate bytea NOT NULL,
    sealed_key bytea NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX authorities_one_active ON turnpike.authorities (kind) WHERE state = 'active';

CREATE TABLE turnpike.certificates (
    serial bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('service', 'agent', 'server')),
    spiffe_id text NOT NULL,
    agent text NOT NULL DEFAULT '',
    namespace text NOT NULL DEFAULT '',
    service text NOT NULL DEFAULT '',
    issuer uuid NOT NULL REFERENCES turnpike.authorities (id),
    spki_sha256 bytea NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX certificates_spiffe_id ON turnpike.certificates (spiffe_id, not_after);
CREATE INDEX certificates_agent ON turnpike.certificates (agent, not_after);

CREATE TABLE turnpike.join_tokens (
    id uuid PRIMARY KEY,
    token_hmac bytea NOT NULL UNIQUE,
    agent turnpike.label NOT NULL REFERENCES turnpike.agents (name) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    redeemed_spki bytea,
    redeemed_at timestamptz,
    created_by text NOT NULL,
    mac bytea NOT NULL
);

CREATE TABLE turnpike.trust_documents (
    version bigint PRIMARY KEY CHECK (version >= 1),
    epoch bigint NOT NULL CHECK (epoch >= 1),
    hash bytea NOT NULL UNIQUE,
    envelope bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE turnpike.snapshot_keys (
    key_id text PRIMARY KEY,
    public_key bytea NOT NULL,
    sealed_key bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('prepared', 'active', 'retired')),
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE ON turnpike.authorities, turnpike.certificates,
    turnpike.join_tokens, turnpike.snapshot_keys TO turnpike_runtime;
GRANT DELETE ON turnpike.join_tokens TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.trust_documents TO turnpike_runtime;
