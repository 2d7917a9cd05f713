-- More rows that grant carry a MAC: an upstream lets local users speak in the name of a service, an
-- instance says where its agent sends what was meant for one, a service says how long its
-- certificates live, an agent row says which key is enrolled, and whoever could write the first
-- trust document could have new hosts trust any root. Rows from before this file have no MAC, so
-- they count as absent until they are written again.
ALTER TABLE turnpike.services ADD COLUMN mac bytea NOT NULL DEFAULT '';
ALTER TABLE turnpike.services ALTER COLUMN mac DROP DEFAULT;
ALTER TABLE turnpike.agents ADD COLUMN mac bytea NOT NULL DEFAULT '';
ALTER TABLE turnpike.agents ALTER COLUMN mac DROP DEFAULT;
ALTER TABLE turnpike.instances ADD COLUMN mac bytea NOT NULL DEFAULT '';
ALTER TABLE turnpike.instances ALTER COLUMN mac DROP DEFAULT;
ALTER TABLE turnpike.upstreams ADD COLUMN mac bytea NOT NULL DEFAULT '';
ALTER TABLE turnpike.upstreams ALTER COLUMN mac DROP DEFAULT;
ALTER TABLE turnpike.trust_documents ADD COLUMN mac bytea NOT NULL DEFAULT '';
ALTER TABLE turnpike.trust_documents ALTER COLUMN mac DROP DEFAULT;

CREATE OR REPLACE VIEW dashboard.services WITH (security_barrier) AS
SELECT s.namespace,
       s.name,
       s.protocol,
       make_interval(secs => s.leaf_ttl_seconds) AS leaf_ttl,
       s.description,
       (SELECT count(*) FROM dashboard.placements p
         WHERE p.namespace = s.namespace AND p.service = s.name) AS placements,
       (SELECT count(*) FROM turnpike.instances i
         WHERE i.namespace = s.namespace AND i.service = s.name
           AND NOT EXISTS (
               SELECT FROM turnpike.row_alarms a
                WHERE a.table_name = 'instances' AND a.first_seen >= i.updated_at
                  AND a.key = i.namespace || '/' || i.service || '/' || i.agent
                      || '/' || i.name)) AS instances,
       s.revision,
       s.created_at,
       s.updated_at,
       s.created_by
  FROM turnpike.services s
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'services' AND a.first_seen >= s.updated_at
          AND a.key = s.namespace || '/' || s.name);

CREATE OR REPLACE VIEW dashboard.instances WITH (security_barrier) AS
SELECT i.namespace, i.service, i.agent, i.name, i.address, i.port, i.weight, i.revision,
       i.created_at, i.updated_at, i.created_by
  FROM turnpike.instances i
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'instances' AND a.first_seen >= i.updated_at
          AND a.key = i.namespace || '/' || i.service || '/' || i.agent || '/' || i.name);

CREATE OR REPLACE VIEW dashboard.agents WITH (security_barrier) AS
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
  LEFT JOIN turnpike.manifests m ON m.agent = a.name
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms r
        WHERE r.table_name = 'agents' AND r.first_seen >= a.updated_at AND r.key = a.name);

-- Everybody may take advisory locks, so a reader could hold up whoever migrates. Only a superuser
-- can take that away, so on somebody else's database the administrator decides.
RESET ROLE;
DO $$
DECLARE
    locking regprocedure;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR locking IN
            SELECT oid FROM pg_proc
             WHERE pronamespace = 'pg_catalog'::regnamespace
               AND (proname LIKE 'pg\_advisory\_%' OR proname LIKE 'pg\_try\_advisory\_%')
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', locking);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO turnpike_owner', locking);
        END LOOP;
    END IF;
END
$$;
SET LOCAL ROLE turnpike_owner;
