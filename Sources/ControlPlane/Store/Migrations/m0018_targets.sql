-- Administrators of targets that take turns: what is meant is committed before anything happens there.

-- A rotation that is under way, or whose former administrator still has the old password.
CREATE TABLE turnpike.target_rotations (
    target text PRIMARY KEY REFERENCES turnpike.lease_targets (name) ON DELETE CASCADE,
    -- The version of the target that it began from; it is void for any other.
    target_version bigint NOT NULL,
    -- Who takes over, and from whom.
    username text NOT NULL,
    former_username text NOT NULL,
    sealed_password bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    -- Since when the new administrator is in use; NULL until its login was seen to work.
    activated_at timestamptz,
    next_attempt_at timestamptz NOT NULL,
    claimed_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    -- Over what never changes: nobody else may say whose password is set on a target, and to what.
    mac bytea NOT NULL
);
COMMENT ON TABLE turnpike.target_rotations IS 'Administrators of targets that take turns; a row whose mac does not hold counts as absent';

GRANT SELECT, INSERT, UPDATE, DELETE ON turnpike.target_rotations TO turnpike_runtime;
