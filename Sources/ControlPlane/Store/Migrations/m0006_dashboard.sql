-- SQL as an interface: documented views for people and dashboards. The role turnpike_dashboard
-- reads these and nothing else. A row that grants but whose MAC does not hold (row_alarms) is
-- absent here as it is everywhere. No view shows key material, sealed or not.

COMMENT ON SCHEMA dashboard IS 'Stable, documented, read-only views of Turnpike';

CREATE VIEW dashboard.services WITH (security_barrier) AS
SELECT s.namespace,
       s.name,
       s.protocol,
       make_interval(secs => s.leaf_ttl_seconds) AS leaf_ttl,
       s.description,
       (SELECT count(*) FROM turnpike.placements p
         WHERE p.namespace = s.namespace AND p.service = s.name) AS placements,
       (SELECT count(*) FROM turnpike.instances i
         WHERE i.namespace = s.namespace AND i.service = s.name) AS instances,
       s.revision,
       s.created_at,
       s.updated_at,
       s.created_by
  FROM turnpike.services s;
COMMENT ON VIEW dashboard.services IS 'Names that have an identity';

CREATE VIEW dashboard.placements WITH (security_barrier) AS
SELECT p.namespace, p.service, p.agent, p.revision, p.created_at, p.created_by
  FROM turnpike.placements p
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'placements'
          AND a.first_seen >= p.updated_at
          AND a.key = p.namespace || '/' || p.service || '/' || p.agent);
COMMENT ON VIEW dashboard.placements IS 'The right of an agent to host a service';

CREATE VIEW dashboard.instances WITH (security_barrier) AS
SELECT i.namespace, i.service, i.agent, i.name, i.address, i.port, i.weight, i.revision,
       i.created_at, i.updated_at, i.created_by
  FROM turnpike.instances i;
COMMENT ON VIEW dashboard.instances IS 'Running copies of services behind their agents';

CREATE VIEW dashboard.agents WITH (security_barrier) AS
SELECT a.name,
       a.description,
       a.state,
       a.mesh_address,
       a.enrolled_at,
       s.connected_server,
       s.last_seen,
       coalesce(s.version, '') AS version,
       coalesce(m.epoch, 0) AS published_epoch,
       coalesce(m.revision, 0) AS published_revision,
       coalesce(s.epoch, 0) AS epoch,
       coalesce(s.revision, 0) AS revision,
       greatest(coalesce(m.revision, 0) - coalesce(s.revision, 0), 0) AS lag,
       s.acknowledged_at,
       coalesce(s.errors, '[]') AS errors,
       make_interval(secs => s.budget_seconds) AS outage_budget
  FROM turnpike.agents a
  LEFT JOIN turnpike.agent_state s ON s.agent = a.name
  LEFT JOIN turnpike.manifests m ON m.agent = a.name;
COMMENT ON VIEW dashboard.agents IS
    'One row per host: what was published to it, what it enforces, how far it lags in revisions';

CREATE VIEW dashboard.intentions WITH (security_barrier) AS
SELECT i.id,
       i.source_namespace,
       i.source_name,
       i.destination_namespace,
       i.destination_name,
       i.precedence,
       coalesce(i.action, 'permissions') AS action,
       i.description,
       i.owner,
       i.reason,
       i.not_before,
       i.not_after,
       i.revision,
       i.created_at,
       i.updated_at,
       i.created_by
  FROM turnpike.intentions i
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'intentions' AND a.first_seen >= i.updated_at
          AND a.key = i.destination_namespace || '/' || i.destination_name
              || '/' || i.source_namespace || '/' || i.source_name);
COMMENT ON VIEW dashboard.intentions IS 'May this source reach this destination';

-- The winner of each pair by the same order that the agents use: highest precedence, deny before
-- allow, then the id. A test holds this view against the evaluator.
CREATE VIEW dashboard.effective_access WITH (security_barrier) AS
SELECT s.namespace || '/' || s.name AS source,
       d.namespace || '/' || d.name AS destination,
       CASE WHEN w.action = 'allow' THEN 'allow' ELSE 'deny' END AS verdict,
       coalesce(w.id::text, 'default') AS rule,
       coalesce(w.precedence, 0) AS precedence
  FROM turnpike.services s
 CROSS JOIN turnpike.services d
  LEFT JOIN LATERAL (
       SELECT i.id, i.action, i.precedence
         FROM dashboard.intentions i
        WHERE (i.destination_namespace = '*' OR i.destination_namespace = d.namespace)
          AND (i.destination_name = '*' OR i.destination_name = d.name)
          AND (i.source_namespace = '*' OR i.source_namespace = s.namespace)
          AND (i.source_name = '*' OR i.source_name = s.name)
          AND (i.not_before IS NULL OR i.not_before <= now())
          AND (i.not_after IS NULL OR i.not_after > now())
        ORDER BY i.precedence DESC, (i.action = 'allow') ASC, i.id::text COLLATE "C" ASC
        LIMIT 1) w ON true;
COMMENT ON VIEW dashboard.effective_access IS
    'For every pair of services the verdict on a connection now, and the rule that gives it';

CREATE VIEW dashboard.certificates WITH (security_barrier) AS
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
            ELSE 'valid' END AS state
  FROM turnpike.certificates c;
COMMENT ON VIEW dashboard.certificates IS 'Every certificate that was issued';

CREATE VIEW dashboard.flows WITH (security_barrier) AS
SELECT f.minute, f.agent, f.source, f.destination, nullif(f.rule_id, '') AS rule, f.opened, f.closed,
       f.bytes_to_destination, f.bytes_to_source
  FROM turnpike.flows f;
COMMENT ON VIEW dashboard.flows IS 'Connections and bytes per pair, rule and minute';

CREATE VIEW dashboard.denials WITH (security_barrier) AS
SELECT d.at, d.id, d.agent, d.source, d.destination, d.reason, nullif(d.rule_id, '') AS rule,
       nullif(d.precedence, 0) AS precedence,
       d.path, d.revision, d.peer_address, d.received_at
  FROM turnpike.decisions d
 WHERE d.verdict = 'deny';
COMMENT ON VIEW dashboard.denials IS 'Every refusal with its reason';

CREATE VIEW dashboard.audit WITH (security_barrier) AS
SELECT a.at, a.id, a.writer, a.sequence, a.actor, a.action, a.resource, a.outcome, a.reason,
       a.source_address, a.request_id, a.revision, a.detail,
       encode(a.previous_hash, 'hex') AS previous_hash, encode(a.hash, 'hex') AS hash
  FROM turnpike.audit a;
COMMENT ON VIEW dashboard.audit IS 'The audit trail, hash-chained per writer';

GRANT USAGE ON SCHEMA dashboard TO turnpike_dashboard, turnpike_runtime;
GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO turnpike_dashboard, turnpike_runtime;

-- Large objects are the one thing that everybody may create anywhere. Only a superuser can take
-- that away, so on somebody else's database the administrator decides.
RESET ROLE;
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
            pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END
$$;
SET LOCAL ROLE turnpike_owner;
