-- Tokens as clients of Vault make them, and static secrets with versions.

-- A token that ends with another one, and what else binds it. NULL for a token of an earlier server or
-- of the native route: its MAC is what it always was. One with traits is unknown to earlier servers,
-- which would not hold it to its bounds.
ALTER TABLE turnpike.tokens ADD COLUMN parent uuid REFERENCES turnpike.tokens (accessor);
ALTER TABLE turnpike.tokens ADD COLUMN traits jsonb;
CREATE INDEX tokens_parent ON turnpike.tokens (parent) WHERE parent IS NOT NULL;

-- The head of a mount: how often it was written and, sealed, how many rows it has and the hash of the
-- set of them. It changes in the commit that changes any row below it, so that rows which are taken
-- away, put back or replaced by earlier ones are noticed.
CREATE TABLE turnpike.secret_mounts (
    mount text PRIMARY KEY CHECK (mount <> ''),
    sequence bigint NOT NULL CHECK (sequence >= 0),
    -- {max_versions, cas_required, delete_version_after}
    config jsonb NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    mac bytea NOT NULL
);
COMMENT ON TABLE turnpike.secret_mounts IS 'Where secrets are kept, and the protected head of what is kept there';

CREATE TABLE turnpike.secret_keys (
    mount text NOT NULL REFERENCES turnpike.secret_mounts (mount),
    path text COLLATE "C" NOT NULL CHECK (path <> ''),
    current_version bigint NOT NULL CHECK (current_version >= 0),
    oldest_version bigint NOT NULL CHECK (oldest_version >= 0),
    -- {max_versions, cas_required, delete_version_after, custom_metadata, versions}
    state jsonb NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    mac bytea NOT NULL,
    PRIMARY KEY (mount, path)
);
COMMENT ON TABLE turnpike.secret_keys IS 'Paths of secrets with their settings; no values';

CREATE TABLE turnpike.secret_versions (
    mount text NOT NULL,
    path text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    -- NULL once it is destroyed.
    sealed bytea,
    sealed_sequence bigint NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    created_at timestamptz NOT NULL,
    deletion_time timestamptz,
    destroyed boolean NOT NULL,
    mac bytea NOT NULL,
    PRIMARY KEY (mount, path, version),
    FOREIGN KEY (mount, path) REFERENCES turnpike.secret_keys (mount, path),
    CHECK (destroyed = (sealed IS NULL))
);
COMMENT ON TABLE turnpike.secret_versions IS 'Versions of secrets, sealed by a key that this database never holds';

GRANT SELECT, INSERT, UPDATE ON turnpike.secret_mounts TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.secret_keys TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.secret_versions TO turnpike_runtime;

CREATE VIEW dashboard.secrets WITH (security_barrier) AS
SELECT k.mount,
       k.path,
       k.current_version,
       k.oldest_version,
       (SELECT count(*) FROM turnpike.secret_versions v
         WHERE v.mount = k.mount AND v.path = k.path AND NOT v.destroyed
           AND (v.deletion_time IS NULL OR v.deletion_time > now())) AS live_versions,
       c.created_at AS value_since,
       now() - c.created_at AS age,
       k.created_at,
       k.updated_at
  FROM turnpike.secret_keys k
  LEFT JOIN turnpike.secret_versions c
    ON c.mount = k.mount AND c.path = k.path AND c.version = k.current_version
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'secret_keys' AND a.first_seen >= k.updated_at
          AND a.key = k.mount || '/' || k.path);
COMMENT ON VIEW dashboard.secrets IS 'Static secrets: paths, versions and how old the value is; never a value';
GRANT SELECT ON dashboard.secrets TO turnpike_dashboard, turnpike_runtime;
