-- Who counts as the holder of a lease, and tokens in the order of their ends.

-- The token at the top of the tree of the one that asked: children have no bounds of their own.
ALTER TABLE turnpike.leases ADD COLUMN holder text;
UPDATE turnpike.leases SET holder = principal;
CREATE INDEX leases_open_holder ON turnpike.leases (holder)
    WHERE state IN ('creating', 'active', 'revoking');

-- Tokens that have just expired are looked for several times a second.
CREATE INDEX tokens_expiry ON turnpike.tokens (expires_at);
