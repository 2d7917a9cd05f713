-- Who holds what, and which keys seal it: for people who read, so nothing here is a value or a key.

CREATE VIEW dashboard.principals WITH (security_barrier) AS
SELECT 'token/' || t.accessor AS principal,
       t.display_name,
       -- How it was made: the path of a login, such as auth/jwt/login.
       coalesce(t.traits ->> 'path', CASE t.kind WHEN 'bootstrap' THEN 'bootstrap' ELSE 'token' END)
           AS login,
       t.policies,
       'token/' || t.parent AS parent,
       t.traits ->> 'certificate' IS NOT NULL AS is_bound_to_certificate,
       t.created_at,
       t.expires_at,
       (SELECT count(*) FROM turnpike.leases l
         WHERE l.token = t.accessor AND l.state = 'active') AS live_leases,
       (SELECT max(a.at) FROM turnpike.audit a WHERE a.actor = 'token/' || t.accessor) AS last_act
  FROM turnpike.tokens t
 WHERE t.revoked_at IS NULL AND t.expires_at > now()
   AND NOT EXISTS (
       SELECT FROM turnpike.row_alarms a
        WHERE a.table_name = 'tokens' AND a.key = t.accessor::text);
COMMENT ON VIEW dashboard.principals IS 'Whose tokens live, how they logged in and what they hold; never a token';

CREATE VIEW dashboard.key_versions WITH (security_barrier) AS
SELECT k.purpose,
       k.version,
       k.state,
       k.created_at,
       now() - k.created_at AS age,
       k.root_version,
       -- By how many keys outside of the database the root key above it can be opened.
       (SELECT count(*) FROM turnpike.root_keys r WHERE r.version = k.root_version) AS root_wraps
  FROM turnpike.keyring k
UNION ALL
SELECT 'root', r.version, 'active', min(r.created_at), now() - min(r.created_at), r.version, count(*)
  FROM turnpike.root_keys r
 GROUP BY r.version;
COMMENT ON VIEW dashboard.key_versions IS 'The keys that seal what is stored: versions, states and ages; never a key';
GRANT SELECT ON dashboard.principals, dashboard.key_versions TO turnpike_dashboard, turnpike_runtime;
