"""Calls of the real hvac, unmodified, against a running server; any surprise ends it with an error.

Usage: hvac_calls.py URL CA-FILE SOCKET PSQL, with the administrator's token on standard input. SOCKET is that of a
PostgreSQL server that lets everybody in as whoever they say they are, and has a role hvac_readers.
"""
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

import hvac
from hvac import exceptions


def refused(kind, call, *arguments, **named):
    """Fails unless the call raises exactly that exception; gives the exception."""
    try:
        call(*arguments, **named)
    except exceptions.VaultError as error:
        if type(error) is not kind:
            raise AssertionError(f"{type(error).__name__} instead of {kind.__name__}: {error}")
        return error
    raise AssertionError(f"no {kind.__name__}")


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


def system(client):
    equal(client.sys.is_initialized(), True)
    equal(client.sys.is_sealed(), False)
    health = client.sys.read_health_status(method="GET")
    equal((health["initialized"], health["sealed"], health["standby"]), (True, False, False))
    equal(client.sys.read_health_status().status_code, 200)
    equal(client.sys.read_seal_status()["storage_type"], "postgresql")
    equal(client.sys.read_leader_status()["is_self"], True)
    refused(exceptions.InvalidRequest, client.sys.initialize)
    equal(client.sys.list_mounted_secrets_engines()["data"]["secret/"]["type"], "kv")
    equal("token/" in client.sys.list_auth_methods()["data"], True)
    # What does not exist yet says so.
    refused(exceptions.VaultNotInitialized, client.sys.enable_auth_method, "oidc")
    refused(exceptions.VaultNotInitialized, client.write, "auth/oidc/login", role="x")


def policies(client):
    rules = {"path": {"secret/data/app/*": {"capabilities": ["create", "read"]},
                      "secret/metadata/app/*": {"capabilities": ["list"]}}}
    client.sys.create_or_update_policy("acceptance", rules)
    text = client.sys.read_policy("acceptance")["data"]["rules"]
    equal("secret/data/app/*" in text, True)
    equal("acceptance" in client.sys.list_policies()["data"]["policies"], True)
    client.sys.create_or_update_acl_policy("acceptance-hcl", text)
    equal(client.sys.read_acl_policy("acceptance-hcl")["data"]["policy"], text)
    equal("acceptance-hcl" in client.sys.list_acl_policies()["data"]["keys"], True)
    client.sys.delete_acl_policy("acceptance-hcl")
    error = refused(exceptions.InvalidPath, client.sys.read_acl_policy, "acceptance-hcl")
    equal(error.errors, [])
    error = refused(exceptions.InvalidRequest, client.sys.create_or_update_policy, "x", "path {")
    equal(len(error.errors), 1)


def tokens(client, url, authority):
    made = client.auth.token.create(policies=["acceptance"], ttl="1h", meta={"a": "b"})
    child = hvac.Client(url=url, token=made["auth"]["client_token"], verify=authority)
    equal(child.is_authenticated(), True)
    own = child.auth.token.lookup_self()["data"]
    equal((own["policies"], own["meta"], own["orphan"]), (["acceptance"], {"a": "b"}, False))
    equal(child.auth.token.renew_self(increment="2h")["auth"]["lease_duration"], 7200)
    equal(client.auth.token.renew(child.token, increment=60)["auth"]["lease_duration"], 60)
    accessor = made["auth"]["accessor"]
    equal(client.auth.token.lookup_accessor(accessor)["data"]["accessor"], accessor)
    equal(client.auth.token.lookup(child.token)["data"]["accessor"], accessor)
    equal(accessor in client.auth.token.list_accessors()["data"]["keys"], True)
    equal(child.sys.get_capabilities(["secret/data/app/x"])["data"]["capabilities"],
          ["create", "read"])
    equal(client.sys.get_capabilities(["sys/mounts"], token=child.token)["data"]["capabilities"],
          ["deny"])
    equal(client.sys.get_capabilities(["x"], accessor=accessor)["data"]["x"], ["deny"])
    limited(child)
    orphan = client.auth.token.create_orphan(policies=["acceptance"])
    equal(orphan["auth"]["orphan"], True)
    client.auth.token.revoke_accessor(orphan["auth"]["accessor"])
    grandchild = client.auth.token.create(policies=["acceptance"])["auth"]["client_token"]
    client.auth.token.revoke(grandchild)
    child.auth.token.revoke_self()
    equal(child.is_authenticated(), False)
    error = refused(exceptions.Forbidden, child.secrets.kv.v2.read_secret_version, "app/x")
    equal(error.errors, ["permission denied"])


def limited(child):
    """What a policy allows and nothing else."""
    child.secrets.kv.v2.create_or_update_secret("app/own", secret={"k": "v"})
    equal(child.secrets.kv.v2.read_secret_version("app/own")["data"]["data"], {"k": "v"})
    equal(child.secrets.kv.v2.list_secrets("app")["data"]["keys"], ["own"])
    error = refused(exceptions.Forbidden, child.secrets.kv.v2.create_or_update_secret, "app/own",
                    secret={"k": "w"})
    equal(error.errors, ["permission denied"])
    refused(exceptions.Forbidden, child.secrets.kv.v2.read_secret_version, "other")
    refused(exceptions.Forbidden, child.sys.list_mounted_secrets_engines)


def secrets(client):
    kv = client.secrets.kv.v2
    written = kv.create_or_update_secret("acceptance/a", secret={"n": 1, "list": [1, "ü"]}, cas=0)
    equal(written["data"]["version"], 1)
    refused(exceptions.InvalidRequest, kv.create_or_update_secret, "acceptance/a", secret={}, cas=0)
    kv.create_or_update_secret("acceptance/a", secret={"n": 2, "gone": True})
    kv.patch("acceptance/a", secret={"gone": None, "more": "x"})
    current = kv.read_secret_version("acceptance/a")["data"]
    equal((current["data"], current["metadata"]["version"]),
          ({"n": 2, "gone": None, "more": "x"}, 3))
    equal(kv.read_secret_version("acceptance/a", version=1)["data"]["data"],
          {"n": 1, "list": [1, "ü"]})
    equal(kv.list_secrets("acceptance")["data"]["keys"], ["a"])
    kv.delete_latest_version_of_secret("acceptance/a")
    error = refused(exceptions.InvalidPath, kv.read_secret_version, "acceptance/a",
                    raise_on_deleted_version=True)
    equal(error.json["data"]["metadata"]["version"], 3)
    kv.undelete_secret_versions("acceptance/a", versions=[3])
    kv.delete_secret_versions("acceptance/a", versions=[1, 2])
    kv.destroy_secret_versions("acceptance/a", versions=[1])
    kv.update_metadata("acceptance/a", max_versions=4, custom_metadata={"owner": "web"})
    metadata = kv.read_secret_metadata("acceptance/a")["data"]
    equal((metadata["current_version"], metadata["max_versions"], metadata["custom_metadata"]),
          (3, 4, {"owner": "web"}))
    equal(metadata["versions"]["1"]["destroyed"], True)
    equal(metadata["delete_version_after"], "0s")
    kv.configure(max_versions=20)
    equal(kv.read_configuration()["data"]["max_versions"], 20)
    kv.delete_metadata_and_all_versions("acceptance/a")
    error = refused(exceptions.InvalidPath, kv.list_secrets, "acceptance")
    equal(error.errors, [])


def forward(path):
    """A loopback port behind which a unix socket answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        while True:
            peer = listener.accept()[0]
            server = socket.socket(socket.AF_UNIX)
            server.connect(path)
            for ends in ((peer, server), (server, peer)):
                threading.Thread(target=copy, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def user_of(port, psql, credential):
    """Who the database says one is with a credential; nothing if it lets nobody in."""
    place = f"host=127.0.0.1 port={port} dbname=postgres user={credential['username']} sslmode=disable"
    run = subprocess.run([psql, "-X", "-At", "-d", place, "-c", "SELECT current_user"],
                         capture_output=True, text=True, timeout=30)
    return run.stdout.strip()


def database(client, url, authority, directory, psql):
    port = forward(f"{directory}/.s.PGSQL.5432")
    engine = client.secrets.database
    engine.configure(
        name="hvac", plugin_name="postgresql-database-plugin", allowed_roles=["hvac-*"],
        connection_url=f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable",
        username="postgres", password="whatever")
    equal("hvac" in engine.list_connections()["data"]["keys"], True)
    details = engine.read_connection("hvac")["data"]["connection_details"]
    equal((details["username"], "password" in details), ("postgres", False))
    engine.reset_connection("hvac")
    statement = ("CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
                 " IN ROLE hvac_readers")
    engine.create_role("hvac-reader", db_name="hvac", creation_statements=[statement],
                       revocation_statements=[], default_ttl="10m", max_ttl="24h")
    equal(engine.read_role("hvac-reader")["data"]["max_ttl"], 3600)
    equal("hvac-reader" in engine.list_roles()["data"]["keys"], True)
    refused(exceptions.Forbidden, engine.create_role, "other", db_name="hvac", creation_statements=[statement])
    refused(exceptions.InvalidRequest, engine.create_role, "hvac-bad", db_name="hvac", creation_statements=["SELECT 1"])
    refused(exceptions.InvalidRequest, engine.generate_credentials, "nothing")
    refused(exceptions.InvalidRequest, engine.rotate_root_credentials, "hvac")
    engine.configure(name="hvac", plugin_name="postgresql-database-plugin", rotation_username="hvac_second")
    equal(engine.rotate_root_credentials("hvac").status_code, 204)
    details = engine.read_connection("hvac")["data"]["connection_details"]
    equal((details["username"], details["rotation_username"]), ("hvac_second", "postgres"))
    refused(exceptions.VaultNotInitialized, engine.get_static_credentials, "hvac")
    leases(client, url, authority, port, psql)
    refused(exceptions.InvalidRequest, engine.delete_connection, "hvac")
    engine.delete_role("hvac-reader")
    refused(exceptions.InvalidPath, engine.read_role, "hvac-reader")
    # Until nothing is left of the leases.
    for _ in range(200):
        try:
            engine.delete_connection("hvac")
            break
        except exceptions.InvalidRequest:
            time.sleep(0.05)
    refused(exceptions.InvalidPath, engine.read_connection, "hvac")


def leases(client, url, authority, port, psql):
    rules = {"path": {"database/creds/hvac-reader": {"capabilities": ["read"]}}}
    client.sys.create_or_update_policy("hvac-holder", rules)
    token = client.auth.token.create(policies=["hvac-holder"])["auth"]["client_token"]
    holder = hvac.Client(url=url, token=token, verify=authority)
    given = holder.secrets.database.generate_credentials("hvac-reader")
    lease, credential = given["lease_id"], given["data"]
    equal(lease.startswith("database/creds/hvac-reader/"), True)
    equal((given["renewable"], 0 < given["lease_duration"] <= 600), (True, True))
    equal(user_of(port, psql, credential), credential["username"])
    # A holder needs no right on its own lease, and has none on others'.
    equal(holder.sys.read_lease(lease)["data"]["id"], lease)
    equal(holder.sys.renew_lease(lease, increment=60)["lease_duration"], 60)
    other = client.secrets.database.generate_credentials("hvac-reader")
    refused(exceptions.Forbidden, holder.sys.read_lease, other["lease_id"])
    refused(exceptions.Forbidden, holder.sys.renew_lease, other["lease_id"])
    refused(exceptions.Forbidden, holder.sys.revoke_lease, other["lease_id"])
    refused(exceptions.Forbidden, holder.sys.list_leases, "database/creds/hvac-reader")
    equal(len(client.sys.list_leases("database/creds/hvac-reader")["data"]["keys"]), 2)
    equal(holder.sys.revoke_lease(lease).status_code, 202)
    equal(client.sys.revoke_prefix("database/creds/hvac-reader").status_code, 202)
    equal(client.sys.revoke_force("database/creds/hvac-reader").status_code, 204)
    equal(user_of(port, psql, credential), "")
    equal(user_of(port, psql, other["data"]), "")
    error = refused(exceptions.InvalidRequest, client.sys.read_lease, lease)
    equal(error.errors, ["invalid lease"])
    error = refused(exceptions.InvalidRequest, client.sys.renew_lease, lease)
    equal(error.errors, ["lease not found"])
    error = refused(exceptions.InvalidPath, client.sys.list_leases, "database/creds/hvac-reader")
    equal(error.errors, [])
def issuer(directory):
    """A key of an issuer: its public half as PEM, and what signs claims with it."""
    key = os.path.join(directory, "issuer.pem")

    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout

    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def sign(claims):
        parts = ({"alg": "EdDSA"}, claims)
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        path = os.path.join(directory, "input")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path)
        return f"{text}.{encoded(signature)}"

    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    return openssl("pkey", "-in", key, "-pubout").decode(), sign


def logins(client, url, authority):
    """By signed token, from the mount to its end."""
    client.sys.enable_auth_method("jwt", description="people", path="acceptance")
    refused(exceptions.InvalidRequest, client.sys.enable_auth_method, "jwt", path="acceptance")
    listed = client.sys.list_auth_methods()["data"]["acceptance/"]
    equal((listed["type"], listed["description"]), ("jwt", "people"))
    client.sys.tune_auth_method("acceptance", max_lease_ttl="30m")
    equal(client.sys.read_auth_method_tuning("acceptance")["data"]["max_lease_ttl"], 1800)
    jwt = client.auth.jwt
    with tempfile.TemporaryDirectory() as directory:
        public, sign = issuer(directory)
        jwt.configure(jwt_validation_pubkeys=[public], bound_issuer="https://id.example",
                      path="acceptance")
        equal(jwt.read_config(path="acceptance")["data"]["bound_issuer"], "https://id.example")
        jwt.create_role("web", user_claim="sub", allowed_redirect_uris=[], bound_audiences=["app"],
                        bound_claims={"team": ["web", "shop"]}, token_policies=["acceptance"],
                        token_ttl="1h", path="acceptance")
        equal(jwt.list_roles(path="acceptance")["data"]["keys"], ["web"])
        equal(jwt.read_role("web", path="acceptance")["data"]["user_claim"], "sub")
        claims = {"iss": "https://id.example", "sub": "ada", "aud": ["app"], "team": "web",
                  "exp": int(time.time()) + 60}
        person = hvac.Client(url=url, verify=authority)
        made = person.auth.jwt.jwt_login("web", sign(claims), path="acceptance")["auth"]
        equal((made["metadata"]["role"], made["policies"]), ("web", ["acceptance"]))
        # The mount's own bound.
        equal(made["lease_duration"], 1800)
        equal(person.auth.token.lookup_self()["data"]["path"], "auth/acceptance/login")
        other = hvac.Client(url=url, verify=authority)
        for change in ({"aud": "other"}, {"team": "x"}, {"exp": 1000}, {"iss": "https://other.example"}):
            refused(exceptions.InvalidRequest, other.auth.jwt.jwt_login, "web",
                    sign({**claims, **change}), path="acceptance")
        refused(exceptions.InvalidRequest, other.auth.jwt.jwt_login, "none", sign(claims),
                path="acceptance")
    jwt.delete_role("web", path="acceptance")
    client.sys.disable_auth_method("acceptance")
    equal(person.is_authenticated(), False)
    equal("acceptance/" in client.sys.list_auth_methods()["data"], False)


def certificates(client, url, authority):
    """By certificate: the roles; a client without one is nobody."""
    client.sys.enable_auth_method("cert")
    cert = client.auth.cert
    with open(authority, encoding="ascii") as file:
        root = file.read()
    cert.create_ca_certificate_role("web", certificate=root, token_policies=["acceptance"],
                                    allowed_uri_sans="spiffe://*/ns/web/svc/*", token_ttl=600)
    equal(cert.list_certificate_roles()["data"]["keys"], ["web"])
    equal(cert.read_ca_certificate_role("web")["data"]["token_ttl"], 600)
    stranger = hvac.Client(url=url, verify=authority)
    refused(exceptions.InvalidRequest, stranger.write, "auth/cert/login", name="web")
    cert.delete_certificate_role("web")
    client.sys.disable_auth_method("cert")


def programs(client, url, authority):
    """By role id and secret id."""
    client.sys.enable_auth_method("approle")
    approle = client.auth.approle
    approle.create_or_update_approle("web", token_policies=["acceptance"], token_ttl="10m",
                                     secret_id_num_uses=2, secret_id_ttl="1h")
    equal(approle.list_roles()["data"]["keys"], ["web"])
    equal(approle.read_role("web")["data"]["secret_id_num_uses"], 2)
    role = approle.read_role_id("web")["data"]["role_id"]
    made = approle.generate_secret_id("web", metadata={"host": "a"})["data"]
    equal((made["secret_id_num_uses"], made["secret_id_ttl"]), (2, 3600))
    program = hvac.Client(url=url, verify=authority)
    auth = program.auth.approle.login(role, made["secret_id"])["auth"]
    equal((auth["metadata"], auth["policies"], auth["lease_duration"]),
          ({"role_name": "web", "host": "a"}, ["acceptance"], 600))
    equal(program.is_authenticated(), True)
    accessor = made["secret_id_accessor"]
    equal(approle.list_secret_id_accessors("web")["data"]["keys"], [accessor])
    equal(approle.read_secret_id("web", made["secret_id"])["data"]["secret_id_num_uses"], 1)
    equal(approle.read_secret_id_accessor("web", accessor)["data"]["metadata"], {"host": "a"})
    program.auth.approle.login(role, made["secret_id"])
    refused(exceptions.InvalidRequest, program.auth.approle.login, role, made["secret_id"])
    refused(exceptions.InvalidPath, approle.read_secret_id_accessor, "web", accessor)
    approle.update_role_id("web", "the-web")
    wrapped = approle.generate_secret_id("web", wrap_ttl="1m")["wrap_info"]["token"]
    secret = program.sys.unwrap(wrapped)["data"]["secret_id"]
    program.auth.approle.login("the-web", secret)
    approle.create_custom_secret_id("web", "chosen-by-somebody-else")
    program.auth.approle.login("the-web", "chosen-by-somebody-else")
    approle.destroy_secret_id("web", "chosen-by-somebody-else")
    refused(exceptions.InvalidRequest, program.auth.approle.login, "the-web",
            "chosen-by-somebody-else")
    approle.delete_role("web")
    refused(exceptions.InvalidRequest, program.auth.approle.login, "the-web", secret)
    client.sys.disable_auth_method("approle")


def people(client, url, authority):
    """By name and password."""
    client.sys.enable_auth_method("userpass")
    userpass = client.auth.userpass
    userpass.create_or_update_user("ada", password="correct horse", policies="acceptance")
    equal(userpass.list_user()["data"]["keys"], ["ada"])
    equal(userpass.read_user("ada")["data"]["token_policies"], ["acceptance"])
    person = hvac.Client(url=url, verify=authority)
    auth = person.auth.userpass.login("Ada", "correct horse")["auth"]
    equal((auth["metadata"], auth["policies"]), ({"username": "ada"}, ["acceptance"]))
    equal(person.is_authenticated(), True)
    refused(exceptions.InvalidRequest, person.auth.userpass.login, "ada", "wrong horse")
    refused(exceptions.InvalidRequest, person.auth.userpass.login, "bob", "correct horse")
    userpass.update_password_on_user("ada", "battery staple")
    person.auth.userpass.login("ada", "battery staple")
    userpass.delete_user("ada")
    client.sys.disable_auth_method("userpass")


def wrapping(client, url, authority):
    wrapped = client.sys.wrap(payload={"user": "ada"}, ttl=60)["wrap_info"]
    equal((wrapped["ttl"], wrapped["creation_path"]), (60, "sys/wrapping/wrap"))
    stranger = hvac.Client(url=url, verify=authority)
    equal(stranger.sys.unwrap(wrapped["token"])["data"], {"user": "ada"})
    refused(exceptions.InvalidRequest, stranger.sys.unwrap, wrapped["token"])
    made = client.auth.token.create(policies=["acceptance"], wrap_ttl="2m")
    equal((made["auth"], made["wrap_info"]["creation_path"]), (None, "auth/token/create"))
    holder = hvac.Client(url=url, token=made["wrap_info"]["token"], verify=authority)
    inside = holder.sys.unwrap()["auth"]
    equal(inside["accessor"], made["wrap_info"]["wrapped_accessor"])
    holder.token = inside["client_token"]
    equal(holder.is_authenticated(), True)
    holder.auth.token.revoke_self()


def token_roles(client):
    token = client.auth.token
    token.create_or_update_role("acceptance", allowed_policies=["acceptance"], orphan=True,
                                renewable=False, token_explicit_max_ttl="10m")
    equal(token.list_roles()["data"]["keys"], ["acceptance"])
    equal(token.read_role("acceptance")["data"]["allowed_policies"], ["acceptance"])
    made = token.create(role_name="acceptance", ttl="1h")["auth"]
    equal((made["policies"], made["orphan"], made["renewable"], made["lease_duration"]),
          (["acceptance"], True, False, 600))
    refused(exceptions.InvalidRequest, token.create, role_name="acceptance", policies=["admin"])
    token.revoke_accessor(made["accessor"])
    token.delete_role("acceptance")
    refused(exceptions.InvalidPath, token.read_role, "acceptance")


def mounts(client):
    equal(client.sys.read_mount_configuration("secret")["data"]["options"], {"version": "2"})
    refused(exceptions.InvalidRequest, client.sys.enable_secrets_engine, "kv", path="secret")
    refused(exceptions.VaultNotInitialized, client.sys.enable_secrets_engine, "kv", path="other")


def main():
    url, authority, directory, psql = sys.argv[1:]
    token = sys.stdin.read().strip()
    stranger = hvac.Client(url=url, verify=authority)
    equal(stranger.is_authenticated(), False)
    client = hvac.Client(url=url, token=token, verify=authority)
    equal(client.is_authenticated(), True)
    system(client)
    policies(client)
    tokens(client, url, authority)
    secrets(client)
    database(client, url, authority, directory, psql)
    logins(client, url, authority)
    certificates(client, url, authority)
    programs(client, url, authority)
    people(client, url, authority)
    wrapping(client, url, authority)
    token_roles(client)
    mounts(client)
    print("hvac is content")


main()
