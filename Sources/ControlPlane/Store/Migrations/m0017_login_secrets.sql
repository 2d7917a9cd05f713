-- Secret ids of the login approle, by keyed digest only. Rows grant, so they carry a MAC; one that was
-- used since, or destroyed, does not come back (the audit trail has the uses that were left).
CREATE TABLE turnpike.secret_ids (
    accessor uuid PRIMARY KEY,
    -- Of the role that it belongs to: another role of the same name has another.
    role uuid NOT NULL,
    -- Such as auth/approle/role/orders.
    role_path text COLLATE "C" NOT NULL,
    secret_hmac bytea NOT NULL UNIQUE,
    -- NULL for as often as one likes.
    uses_left bigint CHECK (uses_left >= 1),
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
CREATE INDEX secret_ids_role ON turnpike.secret_ids (role, accessor);
CREATE INDEX secret_ids_path ON turnpike.secret_ids (role_path);
CREATE INDEX secret_ids_expiry ON turnpike.secret_ids (expires_at);
COMMENT ON TABLE turnpike.secret_ids IS 'Secret ids of the login approle as keyed digests; a row whose mac does not hold counts as absent';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.secret_ids TO turnpike_runtime;

-- A login by approle names its role by this.
CREATE INDEX auth_entries_role_id ON turnpike.auth_entries ((document ->> 'role_id')) WHERE kind = 'approle_role';

-- What counts once: signatures and nonces of logins, by keyed digest, until nobody takes them any more.
CREATE TABLE turnpike.login_replays (
    digest bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_replays_expiry ON turnpike.login_replays (expires_at);
COMMENT ON TABLE turnpike.login_replays IS 'Digests of what a login used up; rows may go once they expired';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.login_replays TO turnpike_runtime;
