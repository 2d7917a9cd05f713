-- Ways to log in: what is mounted below auth/, its configuration and its roles, one row for each path
-- that a client of Vault writes. Rows grant (whoever meets a role gets a token), so they carry a MAC, and
-- a row that was written or removed since does not come back (the audit trail has the versions).
CREATE TABLE turnpike.auth_entries (
    -- The canonical resource path, such as auth/jwt/role/orders.
    path text COLLATE "C" PRIMARY KEY CHECK (path <> ''),
    kind text NOT NULL,
    document jsonb NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
COMMENT ON TABLE turnpike.auth_entries IS 'Login methods, their settings and roles; a row whose mac does not hold counts as absent';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.auth_entries TO turnpike_runtime;

-- Answers that wait for whoever has their token, which opens them once: sealed, and empty afterwards.
CREATE TABLE turnpike.wrapped_answers (
    id uuid PRIMARY KEY,
    token_hmac bytea NOT NULL UNIQUE,
    -- NULL once it was opened.
    sealed bytea,
    -- The path that was asked for, by which a receiver notices an exchange.
    creation_path text NOT NULL,
    -- The accessor of a token inside; empty for none.
    wrapped_accessor text NOT NULL,
    lifetime_seconds bigint NOT NULL CHECK (lifetime_seconds >= 1),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    opened_at timestamptz,
    mac bytea NOT NULL,
    CHECK ((opened_at IS NULL) = (sealed IS NOT NULL))
);
CREATE INDEX wrapped_answers_expiry ON turnpike.wrapped_answers (expires_at);
CREATE INDEX wrapped_answers_holder ON turnpike.wrapped_answers (created_by, expires_at) WHERE sealed IS NOT NULL;
COMMENT ON TABLE turnpike.wrapped_answers IS 'Wrapped answers, sealed by a key that this database never holds; a row whose mac does not hold counts as absent';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.wrapped_answers TO turnpike_runtime;

-- What a token keeps for itself; it goes with the token.
CREATE TABLE turnpike.cubbyholes (
    token uuid NOT NULL REFERENCES turnpike.tokens (accessor),
    path text COLLATE "C" NOT NULL CHECK (path <> ''),
    sealed bytea NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (token, path)
);
COMMENT ON TABLE turnpike.cubbyholes IS 'What tokens keep for themselves, sealed by a key that this database never holds';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.cubbyholes TO turnpike_runtime;
