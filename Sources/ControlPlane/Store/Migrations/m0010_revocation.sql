-- Certificates that are denied before their end, and services that are signed for no more.

-- What is denied is named to every agent until it has ended; `is_denied` says that it still is, so
-- that the list changes with a revision and not with the clock.
ALTER TABLE turnpike.certificates ADD COLUMN revocation_reason text;
ALTER TABLE turnpike.certificates ADD COLUMN is_denied boolean NOT NULL DEFAULT false;
CREATE INDEX certificates_denied ON turnpike.certificates (not_after) WHERE is_denied;
CREATE INDEX certificates_issuer ON turnpike.certificates (issuer, not_after);

-- A row only takes away, so it carries no MAC: whoever makes one up denies, and whoever deletes one
-- leaves the denied certificates denied.
CREATE TABLE turnpike.revoked_services (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    reason text NOT NULL,
    revoked_at timestamptz NOT NULL,
    revoked_by text NOT NULL,
    PRIMARY KEY (namespace, service)
);
COMMENT ON TABLE turnpike.revoked_services IS 'Identities that get no certificates until they are allowed again';
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.revoked_services TO turnpike_runtime;

-- Connections outlive certificates: by service, which certificates vouch for none any more once they
-- have ended. A row stays until every agent has seen it or has no manifest that lets such live on.
CREATE TABLE turnpike.revocation_cutoffs (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    until timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, service)
);
COMMENT ON TABLE turnpike.revocation_cutoffs IS 'Which connections end although their certificates had ended before';
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.revocation_cutoffs TO turnpike_runtime;
CREATE INDEX certificates_holder ON turnpike.certificates (agent, namespace, service, not_after);

-- Binds servers too that know nothing of revocations.
CREATE FUNCTION turnpike.refuse_revoked_service() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog
    AS $$
    BEGIN
        IF NEW.kind = 'service' AND EXISTS (
            SELECT FROM turnpike.revoked_services r
            WHERE r.namespace = NEW.namespace AND r.service = NEW.service
        ) THEN
            RAISE check_violation USING MESSAGE = 'the service is revoked';
        END IF;
        RETURN NEW;
    END
    $$;
CREATE TRIGGER refuse_revoked_service BEFORE INSERT ON turnpike.certificates
    FOR EACH ROW EXECUTE FUNCTION turnpike.refuse_revoked_service();

-- What an agent understands beyond the first version of the protocol, by its own account.
ALTER TABLE turnpike.agent_state ADD COLUMN features text[] NOT NULL DEFAULT '{}';
-- Which trust document it holds: what is new in one is used when everybody holds it.
ALTER TABLE turnpike.agent_state ADD COLUMN trust_version bigint NOT NULL DEFAULT 0;

-- A key-encryption key that was replaced loses its wrap of the root key. The runtime role may delete
-- none by itself: this keeps the one that is named, and does nothing where that is missing.
CREATE FUNCTION turnpike.retire_root_keys(kept text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
        DELETE FROM turnpike.root_keys WHERE kek_id <> kept
            AND EXISTS (SELECT FROM turnpike.root_keys k WHERE k.kek_id = kept)
    $$;
REVOKE ALL ON FUNCTION turnpike.retire_root_keys(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION turnpike.retire_root_keys(text) TO turnpike_runtime;

CREATE OR REPLACE VIEW dashboard.certificates WITH (security_barrier) AS
SELECT encode(c.serial, 'hex') AS serial,
       c.kind,
       c.spiffe_id,
       c.agent,
       c.namespace,
       c.service,
       c.not_before,
       c.not_after,
       c.issued_at,
       c.revoked_at,
       CASE WHEN c.revoked_at IS NOT NULL THEN 'revoked'
            WHEN c.not_after <= now() THEN 'expired'
            ELSE 'valid' END AS state,
       c.revocation_reason
  FROM turnpike.certificates c;
