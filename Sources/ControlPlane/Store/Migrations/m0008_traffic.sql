-- How traffic is shared out, and which instances take it. Nothing here grants anything, so no MAC
-- covers it, and a server that does not know these columns leaves them as they are: it can work
-- beside one that does.

-- Null is the usual check.
ALTER TABLE turnpike.services ADD COLUMN health_check jsonb;

ALTER TABLE turnpike.upstreams
    ADD COLUMN balance text NOT NULL DEFAULT 'least_request'
        CHECK (balance IN ('least_request', 'round_robin')),
    ADD COLUMN connections_max integer CHECK (connections_max > 0),
    ADD COLUMN pending_max integer CHECK (pending_max > 0);

-- No configuration, so no revision: what the agent of a host finds when it probes its instances.
CREATE TABLE turnpike.instance_health (
    namespace turnpike.label NOT NULL,
    service turnpike.label NOT NULL,
    agent turnpike.label NOT NULL,
    name turnpike.label NOT NULL,
    is_up boolean NOT NULL,
    since timestamptz NOT NULL,
    problem text NOT NULL DEFAULT '',
    PRIMARY KEY (namespace, service, agent, name),
    FOREIGN KEY (namespace, service, agent, name)
        REFERENCES turnpike.instances (namespace, service, agent, name) ON DELETE CASCADE
);
CREATE INDEX instance_health_down ON turnpike.instance_health (agent) WHERE NOT is_up;
COMMENT ON TABLE turnpike.instance_health IS 'Whether instances take connections, as their agents say';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.instance_health TO turnpike_runtime;

CREATE OR REPLACE VIEW dashboard.instances WITH (security_barrier) AS
SELECT i.namespace, i.service, i.agent, i.name, i.address, i.port, i.weight, i.revision,
       i.created_at, i.updated_at, i.created_by,
       CASE WHEN h.is_up IS NULL
                OR coalesce(s.last_seen < now() - interval '60 seconds', true) THEN 'unknown'
            WHEN h.is_up THEN 'up'
            ELSE 'down'
       END AS health,
       h.since AS health_since,
       coalesce(h.problem, '') AS health_problem
  FROM turnpike.instances i
  LEFT JOIN turnpike.instance_health h USING (namespace, service, agent, name)
  LEFT JOIN turnpike.agent_state s ON s.agent = i.agent
 WHERE NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'instances' AND a.first_seen >= i.updated_at
          AND a.key = i.namespace || '/' || i.service || '/' || i.agent || '/' || i.name);
