-- Roles, schemas and the record of migrations.
--
-- Roles belong to the whole cluster, so they may exist already (made by an administrator, or by a
-- migration of another database that runs at this moment): whoever comes second leaves them alone.

DO $$
BEGIN
    CREATE ROLE turnpike_owner NOLOGIN;
    IF NOT pg_has_role(current_user, 'turnpike_owner', 'MEMBER') THEN
        EXECUTE format('GRANT turnpike_owner TO %I', current_user);
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE turnpike_runtime NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE turnpike_dashboard NOLOGIN CONNECTION LIMIT 20;
    ALTER ROLE turnpike_dashboard SET default_transaction_read_only = on;
    ALTER ROLE turnpike_dashboard SET statement_timeout = '30s';
    ALTER ROLE turnpike_dashboard SET lock_timeout = '1s';
    ALTER ROLE turnpike_dashboard SET idle_in_transaction_session_timeout = '60s';
    ALTER ROLE turnpike_dashboard SET search_path = dashboard;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'turnpike_owner', 'MEMBER') THEN
        RAISE insufficient_privilege USING MESSAGE = format(
            'role %I must be a member of turnpike_owner to migrate: GRANT turnpike_owner TO %I',
            current_user, current_user);
    END IF;
END
$$;

-- What PUBLIC may do by default (connect, make temporary tables) nobody needs here. Only the owner
-- of the database can take it away; an administrator who gave us less has decided for himself.
DO $$
BEGIN
    IF (SELECT pg_has_role(current_user, datdba, 'MEMBER')
        FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO turnpike_owner',
            current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO turnpike_runtime, turnpike_dashboard',
            current_database());
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;
END
$$;

CREATE SCHEMA turnpike AUTHORIZATION turnpike_owner;
CREATE SCHEMA dashboard AUTHORIZATION turnpike_owner;

SET LOCAL ROLE turnpike_owner;

ALTER DEFAULT PRIVILEGES FOR ROLE turnpike_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA turnpike TO turnpike_runtime;
GRANT USAGE ON SCHEMA dashboard TO turnpike_dashboard;

CREATE TABLE turnpike.migrations (
    version integer PRIMARY KEY CHECK (version > 0),
    name text NOT NULL CHECK (name <> ''),
    checksum bytea NOT NULL CHECK (octet_length(checksum) = 32),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user
);

COMMENT ON TABLE turnpike.migrations IS 'Which migration files were applied, and the SHA-256 of their text';

GRANT SELECT ON turnpike.migrations TO turnpike_runtime;
