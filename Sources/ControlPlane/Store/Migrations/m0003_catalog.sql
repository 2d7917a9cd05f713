-- What exists and who may reach whom. `revision` is the revision of the last change of a row: it is
-- the row's entity tag and, with the change feed, how readers catch up.

CREATE DOMAIN turnpike.label AS text
    CHECK (VALUE ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$');
COMMENT ON DOMAIN turnpike.label IS 'A name that is one DNS label';

CREATE DOMAIN turnpike.label_or_any AS text
    CHECK (VALUE = '*' OR VALUE ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$');
COMMENT ON DOMAIN turnpike.label_or_any IS 'One DNS label, or * for every one';

CREATE TABLE turnpike.namespaces (
    name turnpike.label PRIMARY KEY,
    description text NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL
);
COMMENT ON TABLE turnpike.namespaces IS 'Spaces of service names';

-- Names that are written without a namespace are in this one, so it always exists.
INSERT INTO turnpike.namespaces (name, description, revision, created_at, updated_at, created_by)
VALUES ('default', '', 0, now(), now(), 'server');

CREATE TABLE turnpike.services (
    namespace turnpike.label NOT NULL REFERENCES turnpike.namespaces (name),
    name turnpike.label NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('tcp', 'http')),
    leaf_ttl_seconds bigint NOT NULL CHECK (leaf_ttl_seconds BETWEEN 300 AND 86400),
    description text NOT NULL,
    meta jsonb NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (namespace, name)
);
COMMENT ON TABLE turnpike.services IS 'Names that have an identity';

CREATE TABLE turnpike.agents (
    name turnpike.label PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('invited', 'enrolled', 'revoked')),
    -- Where other agents reach this agent's mesh port; reported by the agent itself, and harmless
    -- if it lies: a peer still has to show the certificate of the service.
    mesh_address text NOT NULL DEFAULT '',
    spki_sha256 bytea,
    enrolled_at timestamptz,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);
COMMENT ON TABLE turnpike.agents IS 'The daemons, one per host';

CREATE TABLE turnpike.placements (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    agent turnpike.label NOT NULL REFERENCES turnpike.agents (name),
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL,
    PRIMARY KEY (namespace, service, agent),
    FOREIGN KEY (namespace, service) REFERENCES turnpike.services (namespace, name)
);
CREATE INDEX placements_agent ON turnpike.placements (agent);
COMMENT ON TABLE turnpike.placements IS 'Which agent may host which service; a row whose mac does not hold counts as absent';

-- Two instances may swap their ports in one change, so the ports are compared at its end.
CREATE TABLE turnpike.instances (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    agent turnpike.label NOT NULL,
    name turnpike.label NOT NULL,
    address text NOT NULL,
    port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    weight integer NOT NULL CHECK (weight BETWEEN 0 AND 65535),
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (namespace, service, agent, name),
    UNIQUE (agent, address, port) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (namespace, service, agent)
        REFERENCES turnpike.placements (namespace, service, agent)
);
COMMENT ON TABLE turnpike.instances IS 'Running copies of services, as the agent of their host reaches them';

CREATE TABLE turnpike.upstreams (
    agent turnpike.label NOT NULL,
    port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    source_namespace turnpike.label NOT NULL,
    source_name turnpike.label NOT NULL,
    destination_namespace turnpike.label NOT NULL,
    destination_name turnpike.label NOT NULL,
    uids bigint[] NOT NULL,
    any_uid boolean NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (agent, port),
    FOREIGN KEY (source_namespace, source_name, agent)
        REFERENCES turnpike.placements (namespace, service, agent),
    FOREIGN KEY (destination_namespace, destination_name)
        REFERENCES turnpike.services (namespace, name),
    CHECK (NOT any_uid OR cardinality(uids) = 0)
);
CREATE INDEX upstreams_source
    ON turnpike.upstreams (source_namespace, source_name, agent);
CREATE INDEX upstreams_destination
    ON turnpike.upstreams (destination_namespace, destination_name);
COMMENT ON TABLE turnpike.upstreams IS 'Loopback ports through which local users reach a service in the name of another';

-- Intentions may name services that do not exist yet, so there is no foreign key.
CREATE TABLE turnpike.intentions (
    id uuid PRIMARY KEY,
    destination_namespace turnpike.label_or_any NOT NULL,
    destination_name turnpike.label_or_any NOT NULL,
    source_namespace turnpike.label_or_any NOT NULL,
    source_name turnpike.label_or_any NOT NULL,
    precedence smallint NOT NULL CHECK (precedence BETWEEN 1 AND 9),
    action text CHECK (action IN ('allow', 'deny')),
    permissions jsonb,
    description text NOT NULL,
    meta jsonb NOT NULL,
    owner text,
    reason text,
    not_before timestamptz,
    not_after timestamptz,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL,
    UNIQUE (destination_namespace, destination_name, source_namespace, source_name),
    CHECK ((action IS NULL) <> (permissions IS NULL)),
    CHECK (destination_namespace <> '*' OR destination_name = '*'),
    CHECK (source_namespace <> '*' OR source_name = '*')
);
CREATE INDEX intentions_source ON turnpike.intentions (source_namespace, source_name);
COMMENT ON TABLE turnpike.intentions IS 'Who may reach whom; a row whose mac does not hold counts as absent';

-- "Since which revision is this key as it is" is asked of the feed by key.
CREATE INDEX changes_key ON turnpike.changes (kind, key, revision);

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.namespaces, turnpike.services, turnpike.agents,
    turnpike.placements, turnpike.instances, turnpike.upstreams, turnpike.intentions
    TO turnpike_runtime;
