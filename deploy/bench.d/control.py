"""The control plane's rows of deploy/bench: leaves, reads, push, cold start.

Runs in a network namespace of its own (deploy/bench makes it): every process of the fleet reaches
the server under another address, since one address may hold only so many streams.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time

from measuring import processor_seconds, proportional_memory, children_of, say, Failure

SERVICE = "default/common"
SELECT = """SELECT * FROM turnpike.intentions
    WHERE destination_namespace = 'default' AND destination_name = 'db'
    AND source_namespace = 'default' AND source_name = 'web';
"""


class Server:
    """A turnpike-server with an embedded database, all in one directory."""

    def __init__(self, binaries, directory):
        self.binaries, self.directory = binaries, directory
        self.process = None
        self.api = self.agents = None
        self.token = None
        os.makedirs(directory + "/keys", mode=0o700)

    @property
    def authority(self):
        return self.directory + "/data/api-ca.pem"

    def start(self, more=()):
        """Starts it and waits until it listens; gives the wall-clock time of the start."""
        d = self.directory
        argv = [
            self.binaries + "/turnpike-server", "serve", "--print-listeners",
            "--trust-domain", "bench.test", "--data-directory", d + "/data",
            "--keys-kek-file", d + "/keys/kek", "--keys-trust-key-file", d + "/keys/trust.key",
            "--keys-bootstrap-token-file", d + "/keys/bootstrap-token",
            "--api-listen", f"127.0.0.1:{self.api or 0}",
            "--agents-listen", f"0.0.0.0:{self.agents or 0}", "--log-level", "warning", *more,
        ]
        self.log = open(d + "/server.log", "ab")
        began = time.time_ns()
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            name, address = line.split()[1:3]
            if name == "api":
                self.api = int(address.rsplit(":", 1)[1])
            if name == "agents":
                self.agents = int(address.rsplit(":", 1)[1])
                break
        else:
            raise Failure("the server did not start: " + self.tail())
        return began

    def tail(self):
        with open(self.directory + "/server.log", errors="replace") as log:
            return log.read()[-1000:]

    def wait_ready(self, seconds=120):
        end = time.time() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.request("GET", "/readyz")[0] == 200:
                    return
            if time.time() > end or self.process.poll() is not None:
                raise Failure("the server is not ready: " + self.tail())
            time.sleep(0.02)

    def connection(self):
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.api, context=context, timeout=120)

    def request(self, method, path, body=None, connection=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        own = connection or self.connection()
        try:
            own.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = own.getresponse()
            text = answer.read()
        finally:
            if own is not connection:
                own.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def must(self, method, path, body=None, connection=None):
        status, answer = self.request(method, path, body, connection)
        if status not in (200, 201, 202, 204):
            raise Failure(f"{method} {path}: {status} {str(answer)[:300]}")
        return answer

    def become_administrator(self):
        with open(self.directory + "/keys/bootstrap-token") as file:
            self.token = file.read().strip()
        wish = {"display_name": "bench", "policies": ["admin"], "ttl": "24h"}
        self.token = self.must("POST", "/v1/tokens", wish)["token"]
        self.token_file = self.directory + "/keys/token"
        with open(os.open(self.token_file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(self.token)

    def apply(self, resources, size=2_000):
        for first in range(0, len(resources), size):
            self.must("POST", "/v1/apply", {"resources": resources[first : first + size]})

    @property
    def postmaster(self):
        with open(self.directory + "/data/database/cluster/data/postmaster.pid") as file:
            return int(file.readline())

    def database_processes(self):
        return [self.postmaster, *children_of(self.postmaster)]

    def database_command(self, *argv):
        d = self.directory + "/data/database"
        with open(d + "/postgres.password") as file:
            password = file.read().strip()
        environment = dict(os.environ, PGPASSWORD=password, PGHOST=d + "/cluster/socket",
                           PGUSER="postgres", PGDATABASE="turnpike")
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.process.stdout.close()
            self.log.close()


class Fleet:
    """One process of simulated agents."""

    def __init__(self, binaries, number, server, state):
        self.process = subprocess.Popen(
            [binaries + "/turnpike-bench", "fleet", f"10.77.0.{number + 1}:{server.agents}", state],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.count = self.answer()["agents"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure("a fleet has ended")
        return json.loads(line)

    def tell(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def order(self, order):
        self.tell(order)
        return self.answer()

    def stop(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def times_of(fleets, order):
    """The times of all agents; those who have none make a failure."""
    for fleet in fleets:
        fleet.tell(order)
    answers = [fleet.answer() for fleet in fleets]
    missing = sum(answer["missing"] for answer in answers)
    if missing:
        problem = next((a["problem"] for a in answers if a.get("problem")), "no reason")
        raise Failure(f"{order}: {missing} agents are not there: {problem}")
    return sorted(moment for answer in answers for moment in answer["times"])


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class ControlPlane:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.bench = options.binaries + "/turnpike-bench"

    def run_bench(self, *arguments):
        done = subprocess.run([self.bench, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"turnpike-bench {arguments[0]}: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def server(self, name):
        directory = os.path.join(self.work, name)
        server = Server(self.options.binaries, directory)
        try:
            server.start()
            server.wait_ready()
            server.become_administrator()
            yield server
        finally:
            server.stop()
            if not self.options.keep:
                shutil.rmtree(directory, ignore_errors=True)

    # Leaves

    def leaves(self):
        """Our leaves per second of one core, and what openssl signs in the same second."""
        seconds = 1 if self.options.quick else 3
        for _ in range(self.options.rounds):
            ours = self.run_bench("leaves", seconds)["per_cpu_s"]
            speed = subprocess.run(
                ["openssl", "speed", "-seconds", str(seconds), "ecdsap256"],
                capture_output=True, text=True, check=True,
            ).stdout
            # It counts processor time, as we do.
            signs = float(speed.strip().splitlines()[-1].split()[-2])
            say(f"leaves: {ours:,.0f}/s beside {signs:,.0f} signatures/s: {ours / signs:.3f}")
            yield {"leaves_per_s": ours, "signs_per_s": signs, "leaves_ratio": ours / signs}

    # Reads

    def reads(self):
        """REST reads per second of processor beside pgbench's selects of one row."""
        seconds = 2 if self.options.quick else 5
        with self.server("reads") as server:
            server.apply([
                {"kind": "service", "name": "web"}, {"kind": "service", "name": "db"},
                {"kind": "intention", "destination": "default/db", "source": "default/web",
                 "action": "allow"},
            ])
            path = "/v1/intentions/default/db/default/web"
            select = self.write_select()
            for _ in range(self.options.rounds):
                yield self.read_round(server, path, seconds, select)

    def write_select(self):
        """The file with what pgbench selects."""
        path = os.path.join(self.work, "select.sql")
        with open(path, "w") as file:
            file.write(SELECT)
        return path

    def read_round(self, server, path, seconds, select):
        before = processor_seconds([server.process.pid]), processor_seconds(
            server.database_processes()
        )
        done = self.run_bench(
            "reads", f"127.0.0.1:{server.api}", server.authority, server.token_file, path, 8,
            seconds,
        )
        ours = processor_seconds([server.process.pid]) - before[0]
        database = processor_seconds(server.database_processes()) - before[1]
        per_core = done["answers"] / (ours + database)
        begin = processor_seconds(server.database_processes())
        times = os.times()
        answer = server.database_command(
            "pgbench", "-n", "-M", "prepared", "-c", "1", "-T", str(seconds),
            "-f", select,
        ).stdout
        count = int(re.search(r"actually processed: (\d+)", answer)[1])
        later = os.times()
        client = (later.children_user + later.children_system) - (
            times.children_user + times.children_system
        )
        backend = processor_seconds(server.database_processes()) - begin
        # The backend has ended; it is the postmaster's child, counted with it.
        selects = count / (client + backend)
        say(
            f"reads: {per_core:,.0f}/s per core ({ours / done['answers'] * 1e6:.0f} us of ours,"
            f" {database / done['answers'] * 1e6:.0f} us of the database) beside"
            f" {selects:,.0f} selects/s per core: {per_core / selects:.3f}"
        )
        return {
            "reads_per_core": per_core, "selects_per_core": selects,
            "reads_ratio": per_core / selects,
            "read_server_us": ours / done["answers"] * 1e6,
            "read_database_us": database / done["answers"] * 1e6,
        }

    # Push

    def enrol(self, server, count, processes):
        """Enrols agents and gives the state file of each process."""
        states = []
        share = count // processes
        for number in range(processes):
            state = os.path.join(server.directory, f"fleet-{number}")
            began = time.time()
            self.run_bench(
                "enrol", f"127.0.0.1:{server.api}", server.authority, server.token_file, state,
                f"host-{number}", number * share, share, SERVICE,
            )
            say(f"enrolled {share} agents in {time.time() - began:.0f} s")
            states.append(state)
        return states

    @contextlib.contextmanager
    def fleets(self, server, states):
        running = []
        try:
            for number, state in enumerate(states):
                running.append(Fleet(self.options.binaries, number, server, state))
            yield running
        finally:
            for fleet in running:
                fleet.stop()

    def push(self, count, processes):
        """From the request for a change to each agent's acknowledgement of it."""
        name = f"push_{count}"
        with self.server(name) as server:
            server.apply([
                {"kind": "service", "name": "common"}, {"kind": "service", "name": "web"},
            ])
            states = self.enrol(server, count, processes)
            server.stop()
            server.start()
            server.wait_ready()
            time.sleep(1)
            before = proportional_memory([server.process.pid])
            with self.fleets(server, states) as fleets:
                began = time.time_ns()
                for fleet in fleets:
                    fleet.order("connect")
                arrived = times_of(fleets, "first 180")
                say(f"push: {count} agents connected in {(arrived[-1] - began) / 1e9:.1f} s")
                # The second life sign after the rush gives free memory back.
                time.sleep(12)
                after = proportional_memory([server.process.pid])
                kib = (after - before) / 1024 / count
                say(f"push: {kib:.1f} KiB of server memory for each agent"
                    f" ({before / 2**20:.0f} to {after / 2**20:.0f} MiB)")
                yield {f"{name}_kib_per_agent": kib,
                       f"{name}_connect_s": (arrived[-1] - began) / 1e9}
                for number in range(self.options.rounds):
                    yield self.push_round(server, fleets, name, number)

    def push_round(self, server, fleets, name, number):
        connection = server.connection()
        connection.connect()
        path = "/v1/intentions/default/common/default/web"
        body = {"action": "allow" if number % 2 == 0 else "deny"}
        pids = [server.process.pid]
        cost = processor_seconds(pids), processor_seconds([f.process.pid for f in fleets])
        base = processor_seconds(server.database_processes())
        began = time.time_ns()
        answer = server.must("PUT", path + "?wait=enforced&timeout=60s", body, connection)
        ended = time.time_ns()
        connection.close()
        revision = answer["revision"]
        moments = [(m - began) / 1e6 for m in times_of(fleets, f"wait {revision} 60")]
        ours = processor_seconds(pids) - cost[0]
        theirs = processor_seconds([f.process.pid for f in fleets]) - cost[1]
        database = processor_seconds(server.database_processes()) - base
        result = {
            f"{name}_p50_ms": quantile(moments, 0.5), f"{name}_p99_ms": quantile(moments, 0.99),
            f"{name}_max_ms": moments[-1], f"{name}_answer_ms": (ended - began) / 1e6,
            f"{name}_server_cpu_us": ours * 1e6 / len(moments),
            f"{name}_database_cpu_us": database * 1e6 / len(moments),
            f"{name}_fleet_cpu_us": theirs * 1e6 / len(moments),
        }
        say(f"push: {len(moments)} agents: " + ", ".join(
            f"{key[len(name) + 1:]} {value:,.0f}" for key, value in result.items()))
        return result

    # Cold start

    def cold(self):
        """From the start of the server's process to the agents' first snapshots."""
        scale = 10 if self.options.quick else 1
        services, agents = 10_000 // scale, 1_000 // scale
        with self.server("cold") as server:
            server.apply([{"kind": "service", "name": "common"}])
            states = self.enrol(server, agents, 1)
            server.apply([{"kind": "service", "name": f"s-{n}"} for n in range(services)])
            server.apply([
                {"kind": "placement", "service": f"default/s-{n}",
                 "agent": f"host-0-{n % agents}"} for n in range(services)
            ])
            server.apply([
                {"kind": "intention", "destination": f"default/s-{n}",
                 "source": f"default/s-{(n + 1) % services}", "action": "allow"}
                for n in range(services)
            ])
            say(f"cold: {services} services and intentions, {agents} agents")
            for _ in range(self.options.rounds):
                yield self.cold_round(server, states)

    def cold_round(self, server, states):
        server.stop()
        with self.fleets(server, states) as fleets:
            began = server.start()
            listening = time.time_ns()
            # From here on a pause is one for somebody.
            server.request("GET", "/metrics")
            server.wait_ready()
            ready = time.time_ns()
            for fleet in fleets:
                fleet.order("connect")
            moments = [(m - began) / 1e9 for m in times_of(fleets, "first 120")]
            result = {"cold_first_s": moments[0], "cold_all_s": moments[-1],
                      "cold_listening_s": (listening - began) / 1e9,
                      "cold_ready_s": (ready - began) / 1e9}
            text = server.request("GET", "/metrics")[1]
            found = re.search(
                r"^turnpike_server_reactor_longest_turn_milliseconds (\S+)", text, re.M
            )
            if found:
                result["cold_pause_ms"] = float(found[1])
            say("cold: " + ", ".join(f"{key[5:]} {value:.2f}" for key, value in result.items()))
            return result


def raise_descriptor_limit():
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
