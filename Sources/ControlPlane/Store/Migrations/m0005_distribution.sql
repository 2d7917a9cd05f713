-- What was published to whom, what was acknowledged, and what the agents decided.

-- Named by the hash of their bytes and shared by all agents: what an agent was told at some time
-- can be read from its manifest and these.
CREATE TABLE turnpike.sections (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    kind text NOT NULL,
    name text NOT NULL,
    bytes bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE turnpike.sections IS 'Parts of snapshots, content-addressed';

CREATE TABLE turnpike.manifests (
    agent text PRIMARY KEY REFERENCES turnpike.agents (name) ON DELETE CASCADE,
    epoch bigint NOT NULL CHECK (epoch >= 1),
    revision bigint NOT NULL CHECK (revision >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    sections_hash bytea NOT NULL CHECK (octet_length(sections_hash) = 32),
    section_hashes bytea[] NOT NULL,
    envelope bytea NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE turnpike.manifests IS 'The last snapshot that was signed for each agent';

-- No configuration: what agents say of themselves.
CREATE TABLE turnpike.agent_state (
    agent text PRIMARY KEY REFERENCES turnpike.agents (name) ON DELETE CASCADE,
    connected_server text,
    last_seen timestamptz NOT NULL,
    version text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 0,
    manifest_hash bytea,
    acknowledged_at timestamptz,
    errors jsonb NOT NULL DEFAULT '[]',
    budget_seconds bigint,
    status jsonb
);
COMMENT ON TABLE turnpike.agent_state IS 'What each agent enforces, by its own account';

-- How far each replica has published to the agents that are connected to it: whoever waits for a
-- revision must not count agents whose replica has not even looked.
CREATE TABLE turnpike.publishers (
    server text PRIMARY KEY,
    revision bigint NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE turnpike.publishers IS 'How far each replica has published';

-- One row for each decision that an agent recorded, chained per agent. A break of the chain begins
-- a new one and is in the audit trail. The agent's name is no foreign key: evidence outlives it.
CREATE TABLE turnpike.decisions (
    agent text NOT NULL,
    chain integer NOT NULL CHECK (chain >= 1),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    id uuid NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    verdict text NOT NULL CHECK (verdict IN ('allow', 'deny')),
    reason text NOT NULL,
    source text NOT NULL,
    destination text NOT NULL,
    rule_id text NOT NULL DEFAULT '',
    precedence smallint NOT NULL DEFAULT 0,
    permission integer,
    path text,
    revision bigint NOT NULL,
    peer_address text NOT NULL DEFAULT '',
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (agent, chain, sequence)
);
CREATE INDEX decisions_at ON turnpike.decisions (at);
CREATE INDEX decisions_pair ON turnpike.decisions (destination, source, at);
COMMENT ON TABLE turnpike.decisions IS 'What agents allowed and refused, hash-chained per agent';

CREATE TABLE turnpike.evidence_heads (
    agent text PRIMARY KEY,
    chain integer NOT NULL,
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    batch bigint NOT NULL,
    dropped bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE turnpike.evidence_heads IS 'The end of each agent''s chain; locked while evidence is stored';

-- What was stored already, so that a batch that comes twice counts once.
CREATE TABLE turnpike.evidence_batches (
    agent text NOT NULL,
    digest bytea NOT NULL,
    batch bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent, digest)
);
COMMENT ON TABLE turnpike.evidence_batches IS 'Batches of evidence that were stored lately';

CREATE TABLE turnpike.flows (
    agent text NOT NULL,
    source text NOT NULL,
    destination text NOT NULL,
    rule_id text NOT NULL,
    minute timestamptz NOT NULL,
    opened bigint NOT NULL,
    closed bigint NOT NULL,
    bytes_to_destination bigint NOT NULL,
    bytes_to_source bigint NOT NULL,
    PRIMARY KEY (agent, source, destination, rule_id, minute)
);
CREATE INDEX flows_minute ON turnpike.flows (minute);
COMMENT ON TABLE turnpike.flows IS 'Connections and bytes per pair, rule and minute';

GRANT SELECT, INSERT, DELETE ON turnpike.sections TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.manifests TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE ON turnpike.agent_state TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.publishers TO turnpike_runtime;
GRANT SELECT, INSERT ON turnpike.decisions TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE ON turnpike.evidence_heads, turnpike.flows TO turnpike_runtime;
GRANT SELECT, INSERT, DELETE ON turnpike.evidence_batches TO turnpike_runtime;
