-- Upstream ports that speak PostgreSQL to programs without a password: which profile's roles the agent
-- leases for them. What is set here is under the row's MAC, so that a server that does not know it yet
-- takes such a row for forged, and denies.
ALTER TABLE turnpike.upstreams ADD COLUMN postgres_profile text;
ALTER TABLE turnpike.upstreams ADD COLUMN postgres_strict boolean NOT NULL DEFAULT false;
ALTER TABLE turnpike.upstreams ADD COLUMN postgres_listen boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN turnpike.upstreams.postgres_profile IS 'NULL for a port that passes bytes on as they are';
