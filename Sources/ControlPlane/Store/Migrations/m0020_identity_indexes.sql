-- Whether a login's role, mount or configuration was written since is asked with every login, of an audit
-- trail that keeps every login and every refusal under the same names.
CREATE INDEX audit_auth_versions ON turnpike.audit (resource)
    WHERE action IN ('auth.put', 'auth.delete') AND outcome = 'success';

-- Tokens that end together: those of one login, and those of workloads by their certificates.
CREATE INDEX tokens_path ON turnpike.tokens ((traits ->> 'path'), accessor) WHERE revoked_at IS NULL;
CREATE INDEX tokens_certificate ON turnpike.tokens ((traits ->> 'certificate'), accessor)
    WHERE traits ->> 'certificate' IS NOT NULL;
CREATE INDEX tokens_serial_number ON turnpike.tokens ((traits -> 'meta' ->> 'serial_number'))
    WHERE traits -> 'meta' ->> 'serial_number' IS NOT NULL;
