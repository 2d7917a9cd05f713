-- Credentials on lease: targets, profiles, and the leases themselves.
--
-- A lease is committed as an intent before anything happens on its target, and its role is named after
-- it, so that whatever a crash leaves behind is found from either side.

-- Where roles are leased. A row grants (it says whom a password is sent to), so it carries a MAC.
CREATE TABLE turnpike.lease_targets (
    name text PRIMARY KEY,
    document jsonb NOT NULL,
    sealed_password bytea NOT NULL,
    -- Set once the target is gone for good: its leases end without anybody going there.
    decommissioned_at timestamptz,
    version bigint NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
COMMENT ON TABLE turnpike.lease_targets IS 'Servers on which roles are leased; a row whose mac does not hold counts as absent';

-- What a leased role may do.
CREATE TABLE turnpike.lease_profiles (
    name text PRIMARY KEY,
    target text NOT NULL REFERENCES turnpike.lease_targets (name),
    document jsonb NOT NULL,
    -- When a lease of it was issued, used and revoked on the target, as a test.
    preflighted_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL
);
CREATE INDEX lease_profiles_target ON turnpike.lease_profiles (target);
COMMENT ON TABLE turnpike.lease_profiles IS 'What leased roles may do; a row whose mac does not hold counts as absent';

CREATE TABLE turnpike.leases (
    id uuid PRIMARY KEY,
    profile text NOT NULL,
    target text NOT NULL REFERENCES turnpike.lease_targets (name),
    -- The profile as it was: deleting or changing it strands nothing.
    plan jsonb NOT NULL,
    -- Who asked, with which token (null without one) and from where.
    principal text NOT NULL,
    token uuid,
    source_address text NOT NULL,
    idempotency_key text,
    state text NOT NULL CHECK (state IN ('creating', 'active', 'revoking', 'revoked', 'aborted')),
    -- One more with every password that was given out.
    generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    -- Nothing is made on the target after this.
    create_before timestamptz NOT NULL,
    issued_at timestamptz,
    renewed_at timestamptz,
    expires_at timestamptz NOT NULL,
    max_expires_at timestamptz NOT NULL,
    revoke_requested_at timestamptz,
    revoke_reason text,
    access_ended_at timestamptz,
    cleaned_at timestamptz,
    next_attempt_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    claimed_by uuid,
    claimed_until timestamptz,
    -- Over what never changes, so that no plan but a server's own is ever carried out.
    mac bytea NOT NULL
);
-- First the access of all that are due is ended, then what is left of them is removed.
CREATE INDEX leases_access ON turnpike.leases (target, next_attempt_at)
    WHERE state IN ('creating', 'active', 'revoking') AND access_ended_at IS NULL;
CREATE INDEX leases_cleanup ON turnpike.leases (target, next_attempt_at)
    WHERE state = 'revoking' AND access_ended_at IS NOT NULL;
CREATE INDEX leases_profile ON turnpike.leases (profile, id);
CREATE INDEX leases_open_profile ON turnpike.leases (profile)
    WHERE state IN ('creating', 'active', 'revoking');
CREATE INDEX leases_open_principal ON turnpike.leases (principal)
    WHERE state IN ('creating', 'active', 'revoking');
CREATE INDEX leases_open_target ON turnpike.leases (target)
    WHERE state IN ('creating', 'active', 'revoking');
CREATE INDEX leases_open_token ON turnpike.leases (token)
    WHERE state IN ('creating', 'active') AND token IS NOT NULL;
CREATE UNIQUE INDEX leases_idempotency ON turnpike.leases (principal, idempotency_key)
    WHERE idempotency_key IS NOT NULL AND state IN ('creating', 'active');
CREATE INDEX leases_closed ON turnpike.leases (cleaned_at)
    WHERE state IN ('revoked', 'aborted');
COMMENT ON TABLE turnpike.leases IS 'Credentials with an end';

-- Who asked for leases: the row is locked while one is given, so that nobody gets more than may be.
CREATE TABLE turnpike.lease_principals (
    principal text PRIMARY KEY,
    asked_at timestamptz NOT NULL
);
COMMENT ON TABLE turnpike.lease_principals IS 'Who asked for leases, and when last';

-- What the last comparison of leases with the roles of a target found.
CREATE TABLE turnpike.lease_sweeps (
    target text PRIMARY KEY REFERENCES turnpike.lease_targets (name) ON DELETE CASCADE,
    swept_at timestamptz NOT NULL,
    -- Roles that are marked as ours and belong to no open lease.
    orphan_roles bigint NOT NULL,
    -- Active leases without a role.
    missing_roles bigint NOT NULL,
    clock_offset_seconds double precision NOT NULL
);
COMMENT ON TABLE turnpike.lease_sweeps IS 'What the last sweep of each target found';

-- Set by a restore: leases that were renewed after the backup must not be ended by it.
CREATE TABLE turnpike.lease_hold (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    held_at timestamptz,
    reason text
);
INSERT INTO turnpike.lease_hold (held_at, reason) VALUES (NULL, NULL);
COMMENT ON TABLE turnpike.lease_hold IS 'Whether ending leases by themselves is held, and since when';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.lease_targets TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.lease_profiles TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.leases TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.lease_principals TO turnpike_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.lease_sweeps TO turnpike_runtime;
GRANT SELECT, UPDATE ON turnpike.lease_hold TO turnpike_runtime;

CREATE VIEW dashboard.leases WITH (security_barrier) AS
SELECT l.id,
       l.profile,
       l.target,
       l.principal,
       CASE
           WHEN l.state = 'active' AND l.expires_at <= now() THEN 'ending'
           WHEN l.state = 'active' THEN 'live'
           WHEN l.state = 'revoking' THEN 'ending'
           WHEN l.state IN ('revoked', 'aborted') THEN 'ended'
           ELSE l.state
       END AS state,
       l.issued_at,
       l.renewed_at,
       l.expires_at,
       l.max_expires_at,
       coalesce(l.revoke_reason, CASE WHEN l.access_ended_at IS NOT NULL THEN 'expired' END)
           AS end_reason,
       l.access_ended_at,
       -- From the moment the access had to end to the moment it had ended.
       l.access_ended_at - least(l.expires_at, coalesce(l.revoke_requested_at, l.expires_at))
           AS time_to_end,
       l.cleaned_at,
       l.attempts,
       l.last_error
  FROM turnpike.leases l;
COMMENT ON VIEW dashboard.leases IS 'Leased credentials: who holds what until when, and what has ended when';

CREATE VIEW dashboard.lease_issuance WITH (security_barrier) AS
SELECT date_trunc('minute', l.created_at) AS minute,
       l.target,
       l.profile,
       count(*) FILTER (WHERE l.issued_at IS NOT NULL) AS issued,
       count(*) FILTER (WHERE l.state = 'aborted') AS aborted,
       percentile_cont(0.5) WITHIN GROUP (
           ORDER BY extract(epoch FROM l.issued_at - l.created_at)) AS median_seconds
  FROM turnpike.leases l
 GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboard.lease_issuance IS 'Leases by the minute in which they were asked for';

CREATE VIEW dashboard.targets WITH (security_barrier) AS
SELECT t.name,
       t.document ->> 'host' AS host,
       (t.document ->> 'port')::integer AS port,
       t.document ->> 'database' AS database,
       t.decommissioned_at,
       (SELECT count(*) FROM turnpike.leases l
         WHERE l.target = t.name AND l.state = 'active') AS live,
       (SELECT count(*) FROM turnpike.leases l
         WHERE l.target = t.name AND l.state IN ('creating', 'active', 'revoking')
           AND l.access_ended_at IS NULL AND l.next_attempt_at < now()) AS backlog,
       (SELECT min(l.next_attempt_at) FROM turnpike.leases l
         WHERE l.target = t.name AND l.state = 'revoking') AS oldest_ending,
       s.swept_at,
       s.orphan_roles,
       s.missing_roles,
       s.clock_offset_seconds,
       t.created_at,
       t.updated_at,
       t.created_by
  FROM turnpike.lease_targets t
  LEFT JOIN turnpike.lease_sweeps s ON s.target = t.name
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'lease_targets' AND a.first_seen >= t.updated_at
          AND a.key = t.name);
COMMENT ON VIEW dashboard.targets IS 'Servers on which roles are leased: live leases, backlog and orphans';
GRANT SELECT ON dashboard.leases, dashboard.lease_issuance, dashboard.targets
    TO turnpike_dashboard, turnpike_runtime;
