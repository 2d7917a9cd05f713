"""The rows of deploy/bench about secrets and leases: what is asked of a target and of the database of
the control plane, beside what PostgreSQL does by itself with the same statements."""

import base64
import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time

from control import quantile
from dataplane import free_port
from measuring import Failure, children_of, processor_seconds, say


def verifier():
    """A SCRAM verifier of a password that nobody knows; both sides of a row take this one."""
    salt, stored, server = (
        base64.b64encode(hashlib.sha256(part).digest()[:size]).decode()
        for part, size in ((b"salt", 16), (b"stored", 32), (b"server", 32))
    )
    return f"SCRAM-SHA-256$4096:{salt}${stored}:{server}"


VERIFIER = verifier()
ADMINISTRATOR = "turnpike_leases"
LEASES_PER_TOKEN = 100

DRAIN = """
BEGIN;
WITH claimed AS (
    UPDATE turnpike.leases SET state = 'revoking', claimed_by = '{worker}',
        claimed_until = clock_timestamp() + make_interval(secs => 30)
    WHERE id IN (
        SELECT id FROM turnpike.leases WHERE target = 'gone'
        AND state IN ('creating', 'active', 'revoking') AND access_ended_at IS NULL
        AND next_attempt_at <= statement_timestamp()
        AND (claimed_until IS NULL OR claimed_until < statement_timestamp())
        ORDER BY next_attempt_at LIMIT 500 FOR UPDATE SKIP LOCKED)
    RETURNING id)
SELECT array_agg(id) AS ids FROM claimed \\gset
COMMIT;
BEGIN;
UPDATE turnpike.leases SET access_ended_at = now(), next_attempt_at = now(), attempts = 0,
    last_error = NULL, claimed_by = NULL, claimed_until = NULL
WHERE id = ANY(':ids'::uuid[]) AND claimed_by = '{worker}' AND state = 'revoking'
    AND access_ended_at IS NULL
RETURNING id, least(expires_at, coalesce(revoke_requested_at, expires_at));
COMMIT;
BEGIN;
UPDATE turnpike.leases SET state = 'revoked', cleaned_at = now(), claimed_by = NULL,
    claimed_until = NULL, last_error = NULL
WHERE id = ANY(':ids'::uuid[]) AND state = 'revoking'
RETURNING id, profile;
COMMIT;
"""


class Target:
    """A PostgreSQL that admits TLS only, with the certificate of a CA of its own."""

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        self.binaries = sorted(
            entry.path for entry in os.scandir("/usr/lib/postgresql") if entry.is_dir()
        )[-1] + "/bin"
        self.authority = directory + "/ca.pem"
        os.makedirs(directory)
        shutil.chown(directory, "postgres", "postgres")
        self.run("initdb", "-D", directory + "/data", "-U", "postgres", "-A", "trust",
                 "--locale=C.UTF-8", "--encoding=UTF8")
        self.certificates()
        with open(directory + "/data/pg_hba.conf", "w") as file:
            file.write("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        options = (f"-p {self.port} -c listen_addresses=127.0.0.1 -c ssl=on"
                   f" -c unix_socket_directories={directory} -c max_connections=200")
        self.run("pg_ctl", "-D", directory + "/data", "-w", "-s", "-l", directory + "/log",
                 "-o", options, "start")

    def certificates(self):
        d, key = self.directory, ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                  "-days", "2"]
        as_postgres = dict(check=True, capture_output=True, user="postgres", group="postgres", cwd=d)
        subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=Database CA", "-keyout",
                        "ca.key", "-out", "ca.pem"], **as_postgres)
        subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=localhost", "-CA", "ca.pem",
                        "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost", "-addext",
                        "basicConstraints=critical,CA:FALSE", "-addext",
                        "extendedKeyUsage=serverAuth", "-keyout", "data/server.key", "-out",
                        "data/server.crt"], **as_postgres)
        os.chmod(d + "/data/server.key", 0o600)

    def run(self, program, *arguments, password=""):
        # libpq looks for certificates at home, and this home is not the caller's.
        done = subprocess.run(
            [self.binaries + "/" + program, *arguments], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, user="postgres", group="postgres", cwd=self.directory,
            env=dict(os.environ, HOME=self.directory, PGPASSWORD=password),
        )
        if done.returncode:
            raise Failure(f"{program}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def sql(self, text):
        """What the superuser hears, without a password."""
        return self.run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.directory,
                        "-p", str(self.port), "-c", text, "postgres")

    def pgbench(self, *arguments, script=None):
        if script is not None:
            path = os.path.join(self.directory, "script.sql")
            with open(path, "w") as file:
                file.write(script)
            arguments = (*arguments, "-n", "-f", path)
        return self.run("pgbench", "-h", self.directory, "-p", str(self.port), "-U", "postgres",
                        *arguments, "postgres")

    def processes(self):
        with open(self.directory + "/data/postmaster.pid") as file:
            postmaster = int(file.readline())
        return [postmaster, *children_of(postmaster)]

    def stop(self):
        with contextlib.suppress(Failure):
            self.run("pg_ctl", "-D", self.directory + "/data", "-w", "-s", "-m", "immediate", "stop")


def rate(answer):
    """Transactions per second, as pgbench says it."""
    return float(re.search(r"tps = ([\d.]+) \(without initial", answer)[1])


class Leases:
    def __init__(self, plane, options, work):
        self.plane, self.options, self.work = plane, options, work

    @contextlib.contextmanager
    def target(self, name):
        directory = os.path.join(self.work, name)
        target = Target(directory)
        try:
            target.sql("CREATE ROLE app_read NOLOGIN")
            target.sql(f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE PASSWORD 'bench'")
            target.sql(f"GRANT pg_signal_backend, app_read TO {ADMINISTRATOR} WITH ADMIN OPTION")
            yield target
        finally:
            target.stop()
            if not self.options.keep:
                shutil.rmtree(directory, ignore_errors=True)

    def declare(self, server, target, name="orders", profile="reader"):
        with open(target.authority) as file:
            authority = file.read()
        server.must("PUT", f"/v1/targets/{name}", {
            "host": "localhost", "port": target.port, "database": "postgres",
            "username": ADMINISTRATOR, "password": "bench", "tls": {"mode": "verify", "ca": authority},
            "leases_max": 100_000,
        })
        server.must("PUT", f"/v1/profiles/{profile}", {
            "target": name, "group_role": "app_read", "default_ttl": "30m", "max_ttl": "1h",
            "leases_max": 100_000,
        })

    def tokens(self, server, count):
        """A file of tokens of which none is another's: each may hold so many leases."""
        path = os.path.join(server.directory, "tokens")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            for _ in range(count):
                answer = server.must("POST", "/v1/auth/token/create-orphan",
                                     {"policies": ["admin"], "ttl": "1h"})
                file.write(answer["auth"]["client_token"] + "\n")
        return path

    # Issue

    def issue(self):
        """Leases per second beside the target's own CREATE ROLE of the same verifier."""
        count = 400 if self.options.quick else 1_000
        connections = 8
        script = (
            "\\set r random(1, 1000000000000000)\n"
            "CREATE ROLE bench_:r LOGIN IN ROLE app_read CONNECTION LIMIT 10"
            f" PASSWORD '{VERIFIER}' VALID UNTIL '2099-01-01';\n"
        )
        body = json.dumps({"profile": "reader", "ttl": "30m", "verifier": VERIFIER})
        with self.target("issue-target") as target, self.plane.server("issue") as server:
            self.declare(server, target)
            for _ in range(self.options.rounds):
                tokens = self.tokens(server, count // LEASES_PER_TOKEN + 1)
                own = rate(target.pgbench("-c", str(connections), "-t", str(count // connections),
                                          script=script))
                costs = [[server.process.pid], server.database_processes(), target.processes()]
                before = [processor_seconds(pids) for pids in costs]
                done = self.plane.run_bench(
                    "issue", f"127.0.0.1:{server.api}", server.authority, tokens, body, connections,
                    count)
                ours = done["count"] / done["seconds"]
                costs[1:] = server.database_processes(), target.processes()
                spent = [(processor_seconds(pids) - earlier) * 1e6 / done["count"]
                         for pids, earlier in zip(costs, before)]
                say("issue: CPU-us for each: server {:.0f}, database {:.0f}, target {:.0f}".format(
                    *spent))
                say(f"issue: {ours:,.0f}/s beside {own:,.0f} CREATE ROLE/s: {ours / own:.2f}"
                    f" (p50 {done['p50_ms']:.1f} ms, p99 {done['p99_ms']:.1f} ms)")
                yield {"issue_per_s": ours, "create_role_per_s": own, "issue_ratio": ours / own,
                       "issue_p50_ms": done["p50_ms"], "issue_p99_ms": done["p99_ms"],
                       "issue_server_us": spent[0], "issue_database_us": spent[1],
                       "issue_target_us": spent[2]}
                # The next round begins as this one did.
                server.must("PUT", "/v1/sys/leases/revoke-prefix/database/creds/reader", {})
                end = time.time() + 120
                while self.left(server):
                    if time.time() > end:
                        raise Failure("the leases were not ended within two minutes")
                    time.sleep(0.5)

    # Key-value reads

    def secrets(self):
        """Reads of a secret per second of processor beside pgbench's selects of one row."""
        seconds = 2 if self.options.quick else 5
        with self.plane.server("secrets") as server:
            server.apply([
                {"kind": "service", "name": "web"}, {"kind": "service", "name": "db"},
                {"kind": "intention", "destination": "default/db", "source": "default/web",
                 "action": "allow"},
            ])
            server.must("POST", "/v1/secret/data/bench", {"data": {"user": "a", "word": "b" * 32}})
            select = self.plane.write_select()
            for _ in range(self.options.rounds):
                figures = self.plane.read_round(server, "/v1/secret/data/bench", seconds, select)
                yield {
                    "kv_per_core": figures["reads_per_core"], "kv_ratio": figures["reads_ratio"],
                    "kv_server_us": figures["read_server_us"],
                    "kv_database_us": figures["read_database_us"],
                }

    # Drain

    def drain(self):
        """How fast leases that are due are done with where no target has to be asked."""
        count = 10_000 if self.options.quick else 200_000
        for number in range(1 if self.options.quick else min(self.options.rounds, 3)):
            with self.target("drain-target") as target, self.plane.server("drain") as server:
                self.declare(server, target, "gone", "departed")
                self.plane.run_bench("seed", server.directory + "/data/database",
                                     server.directory + "/keys/kek", "bench.test", "departed", count)
                live = ("UPDATE turnpike.leases SET state = 'active', issued_at = created_at,"
                        " expires_at = clock_timestamp() + interval '1 hour',"
                        " next_attempt_at = clock_timestamp() + interval '1 hour'")
                self.statement(server, live)
                self.statement(server, "VACUUM ANALYZE turnpike.leases")
                began = time.time()
                server.must("POST", "/v1/targets/gone/decommission", {"reason": "bench"})
                while self.left(server):
                    if time.time() - began > 600:
                        raise Failure("the leases were not done with in 600 s")
                    time.sleep(0.2)
                ours = count / (time.time() - began)
                # The same rows, as they were before.
                again = live.replace("clock_timestamp() + interval '1 hour'", "clock_timestamp()")
                own = self.drain_by_hand(server, again, count)
                say(f"drain: {ours:,.0f}/s beside {own:,.0f}/s by pgbench: {ours / own:.2f}")
                yield {"drain_per_s": ours, "drain_hand_per_s": own, "drain_ratio": ours / own}

    def statement(self, server, text):
        return server.database_command("psql", "-X", "-A", "-t", "-q", "-c", text).stdout.strip()

    def left(self, server):
        return self.statement(server, "SELECT EXISTS (SELECT FROM turnpike.leases WHERE state IN"
                              " ('creating', 'active', 'revoking'))") == "t"

    def drain_by_hand(self, server, again, count):
        # The server's own workers must not help.
        rows = again + ", access_ended_at = NULL, cleaned_at = NULL, revoke_requested_at = NULL"
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            self.statement(server, rows)
            self.statement(server, "VACUUM ANALYZE turnpike.leases")
            path = os.path.join(server.directory, "drain.sql")
            with open(path, "w") as file:
                file.write(DRAIN.format(worker="00000000-0000-7000-8000-000000000000"))
            began = time.time()
            server.database_command("pgbench", "-n", "-c", "1", "-t", str(count // 500), "-f", path)
            took = time.time() - began
            if self.left(server):
                raise Failure("the statements by hand left something")
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        return count / took

    # Cold start

    def probe(self):
        """The first look for what is due after a start, with many leases."""
        count = 20_000 if self.options.quick else 1_000_000
        with self.target("cold-target") as target, self.plane.server("leases_cold") as server:
            self.declare(server, target)
            # Nobody reads these rows while they live, so that they need no tag that holds.
            self.statement(server, f"""
                INSERT INTO turnpike.leases (id, profile, target, plan, principal, source_address,
                    state, created_at, create_before, issued_at, expires_at, max_expires_at,
                    next_attempt_at, holder, mac)
                SELECT gen_random_uuid(), 'reader', 'orders',
                    (SELECT document FROM turnpike.lease_profiles WHERE name = 'reader'),
                    'bench/' || n % 10000, '127.0.0.1', 'active', now(), now(), now(),
                    now() + interval '1 day', now() + interval '1 day',
                    now() + interval '1 day' + n * interval '1 ms', 'bench/' || n % 10000,
                    sha256(n::text::bytea)
                FROM generate_series(1, {count}) n""")
            self.statement(server, "VACUUM ANALYZE turnpike.leases")
            for _ in range(self.options.rounds):
                server.stop()
                began = server.start()
                server.wait_ready()
                ready = (time.time_ns() - began) / 1e9
                # The looks so far, together: the first was no longer than that.
                looks, first = 0, 0
                while not looks:
                    if time.time_ns() - began > 60e9:
                        raise Failure("no look for leases that are due within a minute")
                    looks, first = self.looks(server)
                say(f"leases at a cold start: first {looks} looks {first:.1f} ms together, ready in"
                    f" {ready:.2f} s")
                yield {"probe_first_ms": first, "leases_ready_s": ready}

    def looks(self, server):
        """How often the server has looked for leases that are due, and for how many milliseconds."""
        text = server.request("GET", "/metrics")[1]
        found = dict(re.findall(r"^turnpike_lease_probe_seconds_(count|sum) (\S+)", text, re.M))
        return int(float(found.get("count", 0))), float(found.get("sum", 0)) * 1e3

    # Ends

    def ends(self):
        """From the moment a lease has to end to the moment its access had ended."""
        count = 60 if self.options.quick else 1_000
        with self.target("ends-target") as target, self.plane.server("ends") as server:
            self.declare(server, target)
            with open(self.tokens(server, count // LEASES_PER_TOKEN + 1)) as file:
                tokens = file.read().split()
            connection = server.connection()
            administrator, began = server.token, time.time()
            for number in range(count):
                server.token = tokens[number % len(tokens)]
                server.must("POST", "/v1/leases",
                            {"profile": "reader", "ttl": "60s", "verifier": VERIFIER}, connection)
                time.sleep(max(0, began + (number + 1) * 60 / max(count, 60) - time.time()))
            server.token = administrator
            connection.close()
            while self.left(server):
                if time.time() - began > 300:
                    raise Failure("the leases did not end within five minutes")
                time.sleep(1)
            text = self.statement(server, "SELECT extract(epoch FROM time_to_end) * 1000"
                                  " FROM dashboard.leases WHERE issued_at IS NOT NULL"
                                  " AND end_reason = 'expired' ORDER BY 1")
            delays = [float(line) for line in text.split()]
            if len(delays) < count:
                raise Failure(f"{count - len(delays)} leases have not expired")
            left = target.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'tp\\_%'").strip()
            if left != "0":
                raise Failure(f"{left} roles are left on the target")
            figures = {"end_p50_ms": quantile(delays, 0.5), "end_p99_ms": quantile(delays, 0.99),
                       "end_max_ms": delays[-1]}
            say("ends: " + ", ".join(f"{key[4:]} {value:.0f}" for key, value in figures.items()))
            yield figures

    # PostgreSQL without a password

    def passwordless(self):
        """pgbench through an agent beside pgbench over TLS with a password."""
        seconds = 2 if self.options.quick else 5
        with self.target("orders-target") as target, self.plane.server("passwordless") as server:
            target.pgbench("-i", "-q", "-s", "10")
            target.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_read")
            target.sql("CREATE ROLE direct LOGIN PASSWORD 'bench' IN ROLE app_read")
            self.declare(server, target)
            with self.agent(server) as port:
                direct = (f"host=localhost hostaddr=127.0.0.1 port={target.port} user=direct"
                          f" dbname=postgres sslmode=verify-full sslrootcert={target.authority}")
                lane = f"host=127.0.0.1 port={port} user=any dbname=postgres sslmode=disable"
                self.wait_for_lane(target, lane)
                for _ in range(self.options.rounds):
                    yield self.passwordless_round(target, direct, lane, seconds)

    def passwordless_round(self, target, direct, lane, seconds):
        def select(where, *more):
            return rate_of_all(target.run("pgbench", "-n", "-S", "-M", "prepared", "-T", str(seconds),
                                          *more, where, password="bench"))
        eight = ("-c", "8", "-j", "2")
        own, ours = select(direct, *eight), select(lane, *eight)
        # A connection for each select: what is left is the connecting.
        own_connect, connect = 1e3 / select(direct, "-C", "-c", "1"), 1e3 / select(lane, "-C", "-c", "1")
        say(f"passwordless: {ours:,.0f}/s beside {own:,.0f}/s direct: {ours / own:.2f}; connecting"
            f" {connect:.2f} ms beside {own_connect:.2f} ms: {connect / own_connect:.2f}")
        return {"lane_per_s": ours, "lane_direct_per_s": own, "lane_ratio": ours / own,
                "lane_connect_ms": connect, "lane_direct_connect_ms": own_connect,
                "lane_connect_ratio": connect / own_connect}

    @contextlib.contextmanager
    def agent(self, server):
        """An agent with a port that leads to the target; gives that port."""
        home = os.path.join(server.directory, "agent")
        os.makedirs(home, mode=0o700)
        port, mesh, status = free_port(), free_port(), free_port()
        with open(home + "/agent.yaml", "w") as file:
            file.write(f"data_directory: {home}/data\nmesh:\n  listen: 127.0.0.1:{mesh}\n"
                       f"upstreams:\n  address: 127.0.0.1\nstatus:\n  listen: 127.0.0.1:{status}\n")
        environment = dict(os.environ, TURNPIKE_ADDR=f"https://127.0.0.1:{server.api}",
                           TURNPIKE_CACERT=server.authority, TURNPIKE_TOKEN=server.token)
        programs = self.options.binaries
        token = subprocess.run([programs + "/turnpike", "agent", "invite", "host-a"],
                               env=environment, capture_output=True, text=True, check=True).stdout
        with open(os.open(home + "/token", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(token)
        joined = subprocess.run([programs + "/turnpike-agent", "join", "--token-file", home + "/token",
                                 "--config", home + "/agent.yaml"], capture_output=True, text=True)
        if joined.returncode:
            raise Failure("the agent did not join: " + joined.stderr[-400:])
        uid = pwd.getpwnam("postgres").pw_uid
        server.apply([
            {"kind": "service", "name": "orders-db"},
            {"kind": "service", "name": "reports", "placements": ["host-a"],
             "upstreams": [{"agent": "host-a", "port": port, "destination": "orders-db",
                            "uids": [uid], "postgres": {"profile": "reader"}}]},
            {"kind": "intention", "source": "default/reports", "destination": "default/orders-db",
             "action": "allow"},
        ])
        with open(home + "/log", "wb") as log:
            running = subprocess.Popen([programs + "/turnpike-agent", "run", "--config",
                                        home + "/agent.yaml"], stdout=log, stderr=log)
        try:
            yield port
        finally:
            running.terminate()
            running.wait()

    def wait_for_lane(self, target, lane):
        end = time.time() + 30
        while True:
            try:
                target.run("psql", "-X", "-A", "-t", "-c", "SELECT 1", lane)
                return
            except Failure as reason:
                if time.time() > end:
                    raise Failure(f"the agent's port does not lead to the target: {reason}")
            time.sleep(0.2)


def rate_of_all(answer):
    """Transactions per second of pgbench, with the time for connections where each has its own."""
    return float(re.search(r"tps = ([\d.]+)", answer)[1])
