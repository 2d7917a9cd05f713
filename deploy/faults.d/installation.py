"""An installation of Turnpike for breaking: hosts, database, replicas, agents."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import time

BIN = pathlib.Path(os.environ["TURNPIKE_BIN"])
POSTGRES = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
FAKETIME = max(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), key=str)
TRUST_DOMAIN = "faults.internal"
HUB = "10.77.0.1"


class Failure(Exception):
    """Something that the run cannot go on without."""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def within(seconds, what, attempt, pause=0.1):
    """Calls until it gives something true; a failure names what was waited for."""
    deadline = time.monotonic() + seconds
    problem = ""
    while time.monotonic() < deadline:
        try:
            value = attempt()
            if value:
                return value
        except (OSError, Failure, ValueError, http.client.HTTPException) as error:
            problem = f": {error}"
        time.sleep(pause)
    raise Failure(f"waited {seconds} s for {what}{problem}")


class Process:
    """A program that may be killed, stopped and started again."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, list(map(str, command)), log
        self.child = None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def runs(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        if self.runs:
            self.child.send_signal(number)

    def end(self, number=signal.SIGTERM, patience=20):
        if not self.runs:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Failure(f"{self.name} did not end within {patience} s")

    def usage(self):
        """Resident KiB, descriptors and threads."""
        base = pathlib.Path("/proc") / str(self.child.pid)
        fields = dict(
            line.split(":", 1) for line in (base / "status").read_text().splitlines() if ":" in line
        )
        return {
            "memory": int(fields["VmRSS"].split()[0]),
            "descriptors": len(list((base / "fd").iterdir())),
            "threads": int(fields["Threads"]),
        }


class Host:
    """A network namespace with one address, linked to the hub."""

    def __init__(self, number):
        self.name = f"host-{number}"
        self.address = f"10.77.0.{10 + number}"
        self.link = f"hub-{number}"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "up0", "netns", self.name)
        run("ip", "link", "set", self.link, "master", "hub")
        run("ip", "link", "set", self.link, "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.address}/24", "dev", "up0"),
            ("link", "set", "up0", "up"),
        ):
            run("ip", "-n", self.name, *command)

    def inside(self, *command):
        return ("ip", "netns", "exec", self.name, *command)

    def cut_off(self, is_cut):
        run("ip", "link", "set", self.link, "down" if is_cut else "up")


def make_network():
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "none", "/run")
    run("ip", "link", "add", "hub", "type", "bridge")
    run("ip", "address", "add", f"{HUB}/24", "dev", "hub")
    run("ip", "link", "set", "hub", "up")


class Database:
    """A primary and a synchronous standby; after a promotion the other one is built anew."""

    ports = (5441, 5442)

    def __init__(self, root):
        self.root = root
        self.primary = 0
        (root / "databases").mkdir()
        shutil.chown(root / "databases", "postgres")
        self.postgres("initdb", "-D", self.folder(0), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.begin(0)
        self.sql(0, "create database turnpike")
        self.follow(1)

    def folder(self, index):
        return self.root / "databases" / str(index)

    def postgres(self, program, *arguments):
        return run("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "env", "-C", "/", POSTGRES / program, *arguments)

    def begin(self, index):
        options = (
            f"-c port={self.ports[index]} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.root}/databases"
            " -c max_connections=60 -c shared_buffers=32MB -c wal_level=replica -c max_wal_senders=8"
            " -c wal_keep_size=256MB -c hot_standby=on -c fsync=on"
        )
        self.postgres("pg_ctl", "-D", self.folder(index), "-w", "-t", "60", "-l", self.folder(index) / "log", "-o", options, "start")

    def sql(self, index, text):
        return run(POSTGRES / "psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(self.ports[index]), "-U", "postgres", "-c", text)

    def follow(self, index):
        """Makes one the standby of the other, and commits wait for it."""
        source = 1 - index
        self.kill(index)
        shutil.rmtree(self.folder(index), ignore_errors=True)
        self.postgres(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(self.ports[source]), "-U", "postgres", "-D", self.folder(index),
            "-R", "-X", "stream", "-c", "fast", "--no-sync",
        )
        self.begin(index)
        within(30, "the standby", lambda: self.sql(source, "select count(*) from pg_stat_replication where state='streaming'").strip() != "0")
        self.sql(source, "alter system set synchronous_standby_names = '*'")
        self.sql(source, "select pg_reload_conf()")
        within(30, "the synchronous standby", lambda: "sync" in self.sql(source, "select sync_state from pg_stat_replication"))

    def kill(self, index):
        """Does nothing where none runs."""
        try:
            pid = int((self.folder(index) / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            return
        within(20, "the end of PostgreSQL", lambda: not pathlib.Path(f"/proc/{pid}").exists() or "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split(")")[-1][:3])

    def restart(self):
        """The primary dies and comes back on its own disk."""
        self.kill(self.primary)
        time.sleep(1)
        within(30, "the primary", lambda: self.begin(self.primary) or True, pause=0.5)

    def promote(self):
        """The primary dies for good and the standby takes over."""
        self.kill(self.primary)
        self.primary = 1 - self.primary
        # Alone, it must not wait for a standby that is not there yet.
        self.postgres("pg_ctl", "-D", self.folder(self.primary), "-w", "promote")
        self.sql(self.primary, "alter system set synchronous_standby_names = ''")
        self.sql(self.primary, "select pg_reload_conf()")

    def rebuild(self):
        self.follow(1 - self.primary)

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://postgres@{hosts}/turnpike"

    def stop(self):
        for index in (0, 1):
            self.kill(index)


class Replica:
    def __init__(self, number, root, database, kek):
        self.name = f"server-{number}"
        self.folder = root / self.name
        self.api, self.agents = 7400 + 10 * number, 7401 + 10 * number
        (self.folder / "keys").mkdir(parents=True, mode=0o700)
        self.kek = kek or self.folder / "keys" / "kek"
        self.process = Process(
            self.name,
            (
                BIN / "turnpike-server", "serve", "--trust-domain", TRUST_DOMAIN, "--name", self.name,
                "--data-directory", self.folder / "data", "--keys-kek-file", self.kek,
                "--keys-trust-key-file", self.folder / "keys" / "trust.key",
                "--keys-bootstrap-token-file", self.folder / "keys" / "bootstrap-token",
                "--database-url", database.url, "--api-listen", f"{HUB}:{self.api}",
                "--agents-listen", f"{HUB}:{self.agents}", "--shutdown-drain", "1s",
            ),
            root / f"{self.name}.log",
        )

    def start(self):
        self.process.start()

    def wait(self):
        within(60, f"{self.name} to be ready", lambda: self.ask("GET", "/readyz", None)[0] == 200)

    def ask(self, method, path, token, body=None, timeout=10):
        """Status and decoded body; raises OSError or HTTPException where there is no answer."""
        context = ssl.create_default_context(cafile=self.folder / "data" / "api-ca.pem")
        context.check_hostname = False
        connection = http.client.HTTPSConnection(HUB, self.api, timeout=timeout, context=context)
        try:
            fields = {"Authorization": f"Bearer {token}"} if token else {}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, fields)
            answer = connection.getresponse()
            data = answer.read()
            try:
                return answer.status, json.loads(data) if data else {}
            except ValueError:
                return answer.status, {}
        finally:
            connection.close()


class Agent:
    def __init__(self, host, root, servers):
        self.host = host
        self.folder = root / host.name
        # A disk that can be filled, and a clock that can be set.
        self.folder.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "none", self.folder)
        self.clock = root / f"{host.name}.clock"
        self.set_clock(0)
        self.config = root / f"{host.name}.yaml"
        self.config.write_text(
            f"data_directory: {self.folder}\nmesh:\n  listen: {host.address}:7443\n"
            f"servers: {json.dumps(servers)}\nstatus:\n  listen: 127.0.0.1:7410\n"
            "limits:\n  drain: 1s\n  handshake_timeout: 3s\n  connect_timeout: 2s\n"
        )
        clock = (
            "env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={self.clock}", "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_CACHE_DURATION=1", "FAKETIME_NO_CACHE=0",
        )
        self.process = Process(
            host.name, host.inside(*clock, BIN / "turnpike-agent", "run", "--config", self.config), root / f"{host.name}.log"
        )

    def set_clock(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}s")
        new.rename(self.clock)

    def fill_disk(self, is_full):
        ballast = self.folder.parent / f"{self.host.name}" / "ballast"
        if not is_full:
            ballast.unlink(missing_ok=True)
            return
        try:
            with open(ballast, "wb") as file:
                while True:
                    file.write(b"x" * 4096)
                    file.flush()
        except OSError:
            pass

    def join(self, replica, token):
        replica.ask("PUT", f"/v1/agents/{self.host.name}", token, {})
        status, body = replica.ask("POST", f"/v1/agents/{self.host.name}/join-tokens", token, {})
        if status >= 300:
            raise Failure(f"no join token: {status} {body}")
        path = self.folder.parent / f"{self.host.name}.token"
        path.touch(mode=0o600)
        path.write_text(body["token"])
        run(*self.host.inside(BIN / "turnpike-agent", "join", "--token-file", path, "--config", self.config))

    def status(self):
        text = run(*self.host.inside("curl", "-s", "--max-time", "2", "http://127.0.0.1:7410/status"))
        return json.loads(text)
