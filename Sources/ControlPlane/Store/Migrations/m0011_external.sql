-- Services that no agent hosts: where an egress agent reaches them outside of the mesh. A row grants
-- (it says where the agent connects and whom it believes there), so it carries a MAC. It belongs to a
-- placement, so certificates are issued to that agent as to any other and to nobody else.
--
-- Changes of it stand in the feed under kind `instance`, with a name that no instance can have: a
-- server that does not know it then reads everything anew, instead of stopping at a word it does not
-- know.
CREATE TABLE turnpike.externals (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    agent turnpike.label NOT NULL,
    host text NOT NULL,
    port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    -- {mode, server_name, ca}
    tls jsonb NOT NULL,
    allow_local boolean NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    mac bytea NOT NULL,
    PRIMARY KEY (namespace, service, agent),
    FOREIGN KEY (namespace, service, agent)
        REFERENCES turnpike.placements (namespace, service, agent)
);
CREATE INDEX externals_agent ON turnpike.externals (agent);
COMMENT ON TABLE turnpike.externals IS 'Where egress agents reach services outside of the mesh; a row whose mac does not hold counts as absent';
GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.externals TO turnpike_runtime;

CREATE VIEW dashboard.externals WITH (security_barrier) AS
SELECT e.namespace, e.service, e.agent, e.host, e.port,
       e.tls ->> 'mode' AS tls_mode,
       e.tls ->> 'server_name' AS server_name,
       e.allow_local, e.revision, e.created_at, e.updated_at, e.created_by
  FROM turnpike.externals e
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'externals' AND a.first_seen >= e.updated_at
          AND a.key = e.namespace || '/' || e.service || '/' || e.agent);
COMMENT ON VIEW dashboard.externals IS 'Services that no agent hosts, and where egress agents reach them';
GRANT SELECT ON dashboard.externals TO turnpike_dashboard, turnpike_runtime;

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
       s.created_by,
       (SELECT count(*) FROM dashboard.externals e
         WHERE e.namespace = s.namespace AND e.service = s.name) AS externals
  FROM turnpike.services s
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'services' AND a.first_seen >= s.updated_at
          AND a.key = s.namespace || '/' || s.name);
