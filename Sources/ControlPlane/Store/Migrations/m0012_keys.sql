-- An operator's own CA, and who works with which key-encryption key.

-- An operator's own CA signs the intermediate.

-- The CAs between this one and its root, the one that signed it first: peers are shown them.
ALTER TABLE turnpike.authorities ADD COLUMN chain bytea[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN turnpike.authorities.sealed_key IS 'Empty where the private key is outside';

-- A key whose certificate an outside CA is asked for. There is one at most: a certificate that comes
-- back is that of the key that waits, or is refused.
CREATE TABLE turnpike.authority_requests (
    id uuid PRIMARY KEY,
    is_only boolean NOT NULL DEFAULT true UNIQUE CHECK (is_only),
    request bytea NOT NULL,
    sealed_key bytea NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE turnpike.authority_requests IS 'The request for an intermediate that waits for an outside CA';
GRANT SELECT, INSERT, DELETE ON turnpike.authority_requests TO turnpike_runtime;

-- Which key-encryption key a replica works with, and when it said so: one of an earlier version, which
-- says nothing, has seen no time that is its last.
ALTER TABLE turnpike.servers ADD COLUMN kek_id text NOT NULL DEFAULT '';
ALTER TABLE turnpike.servers ADD COLUMN kek_at timestamptz;
