"""Runs an installation under faults and judges what its clients saw; deploy/faults says how."""

import argparse
import http.client
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

import installation as site
from installation import Failure, within

# The last part of a run is free of faults: everything must converge.
CALM = 40
# How long after a fault it may still show.
AFTERMATH = 10
# An acknowledged denial holds after this many seconds, whatever happens.
BOUND = 1.0
WEB, REPORTS = 64101, 64102
HERE = pathlib.Path(__file__).parent


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def seconds(text):
    units = {"s": 1, "m": 60, "h": 3600}
    if not text or text[-1] not in units or not text[:-1].isdigit():
        raise argparse.ArgumentTypeError(f"{text}: write 90s, 30m or 2h")
    return int(text[:-1]) * units[text[-1]]


class Run:
    def __init__(self, seed, duration):
        self.random = random.Random(seed)
        self.duration = duration
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-faults-", dir="/var/tmp"))
        self.root.chmod(0o755)
        self.began = now()
        self.windows = []
        self.policy = []
        self.written = set()
        self.refused_writes = []
        self.revisions = {}
        self.violations = []
        self.is_over = threading.Event()

    def say(self, text):
        print(f"{now() - self.began:6.1f}  {text}", flush=True)

    def violated(self, text):
        self.violations.append(text)
        self.say(f"VIOLATED: {text}")

    # -- the installation

    def build(self):
        site.make_network()
        self.hosts = [site.Host(number) for number in range(1, 5)]
        self.say("four hosts, linked")
        self.database = site.Database(self.root)
        self.say("a primary and its synchronous standby")
        self.replicas = []
        for number in (1, 2):
            kek = self.replicas[0].kek if self.replicas else None
            replica = site.Replica(number, self.root, self.database, kek)
            replica.start()
            replica.wait()
            self.replicas.append(replica)
        self.say("two replicas")
        bootstrap = (self.replicas[0].folder / "keys" / "bootstrap-token").read_text().strip()
        status, body = self.replicas[0].ask(
            "POST", "/v1/tokens", bootstrap, {"display_name": "faults", "policies": ["admin"], "ttl": "24h"}
        )
        if status >= 300:
            raise Failure(f"no administrator: {status} {body}")
        self.token = body["token"]
        servers = [f"{site.HUB}:{replica.agents}" for replica in self.replicas]
        self.agents = [site.Agent(host, self.root, servers) for host in self.hosts]
        for agent in self.agents:
            agent.join(self.replicas[0], self.token)
            agent.process.start()
            within(30, f"{agent.host.name}", lambda agent=agent: agent.status())
        self.say("four agents")
        self.declare()

    def put(self, path, body):
        status, answer = self.replicas[0].ask("PUT", path, self.token, body)
        if status >= 300:
            raise Failure(f"{path}: {status} {answer}")

    def declare(self):
        for name in ("db", "web", "reports"):
            self.put(f"/v1/services/default/{name}", {})
        for service, host in (("db", 1), ("db", 2), ("web", 3), ("reports", 4)):
            self.put(f"/v1/placements/default/{service}/host-{host}", {})
        for host in (1, 2):
            self.put(f"/v1/instances/default/db/host-{host}/main", {"port": 5433})
        for service, host, uid in (("web", 3, WEB), ("reports", 4, REPORTS)):
            self.put(
                f"/v1/upstreams/host-{host}/15432",
                {"source": service, "destination": "db", "uids": [uid]},
            )
            self.put(f"/v1/intentions/default/db/default/{service}", {"action": "allow"})
        self.programs = [
            site.Process(f"echo-{host.name}", host.inside("python3", HERE / "echo.py", "5433"), self.root / "echo.log")
            for host in self.hosts[:2]
        ]
        for name, host, uid in (("web", self.hosts[2], WEB), ("reports", self.hosts[3], REPORTS)):
            history = self.root / f"{name}.history"
            history.touch()
            history.chmod(0o666)
            command = host.inside(
                "setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                "python3", HERE / "client.py", "15432", history,
            )
            self.programs.append(site.Process(name, command, self.root / f"{name}.log"))
        for program in self.programs:
            program.start()
        for name in ("web", "reports"):
            within(30, f"the first answer for {name}", lambda name=name: self.history(name, "new", True))
        self.say("traffic flows")

    def history(self, name, kind=None, is_ok=None):
        records = []
        for line in (self.root / f"{name}.history").read_text().splitlines():
            fields = line.split()
            if len(fields) == 4:
                record = (fields[0], float(fields[1]), float(fields[2]), fields[3] == "1")
                if kind in (None, record[0]) and is_ok in (None, record[3]):
                    records.append(record)
        return records

    # -- what goes on beside the faults

    def change_policies(self):
        """Flips web's intention and makes services, at either replica, and notes the answers."""
        number, chooser = 0, random.Random(1)
        while not self.is_over.is_set():
            number += 1
            replica = chooser.choice(self.replicas)
            action = "deny" if number % 2 else "allow"
            self.change(replica, action, f"w-{number}")
            self.is_over.wait(chooser.uniform(0.3, 2.5))

    def change(self, replica, action, name):
        sent = now()
        try:
            status, body = replica.ask(
                "PUT", "/v1/intentions/default/db/default/web?wait=enforced&timeout=5s", self.token, {"action": action}
            )
        except (OSError, http.client.HTTPException):
            status, body = 0, {}
        is_complete = status in (200, 201) and (body.get("enforced") or {}).get("complete") is True
        self.policy.append((sent, now(), action, is_complete))
        try:
            status, _ = replica.ask("PUT", f"/v1/services/default/{name}", self.token, {})
        except (OSError, http.client.HTTPException):
            status = 0
        if status in (200, 201):
            self.written.add(name)
        elif status:
            self.refused_writes.append((now(), status))

    def watch_revisions(self):
        while not self.is_over.is_set():
            for agent in self.agents:
                if not agent.process.runs:
                    continue
                try:
                    status = agent.status()
                except (Failure, ValueError, OSError):
                    continue
                place = (status.get("epoch") or 0, status.get("revision") or 0)
                if place < self.revisions.get(agent.host.name, (0, 0)):
                    self.violated(f"{agent.host.name} went back from {self.revisions[agent.host.name]} to {place}")
                self.revisions[agent.host.name] = place
            self.is_over.wait(0.5)

    # -- the nemesis

    def break_things(self, until):
        actions = [
            self.kill_replica, self.pause_replica, self.kill_agent, self.cut_off_agent, self.pause_agent,
            self.restart_database, self.promote_standby, self.fill_disk, self.step_clock,
        ]
        # Each at least once if there is time for it, in an order that follows from the seed.
        queue = []
        while now() < until:
            if not queue:
                queue = actions[:]
                self.random.shuffle(queue)
            action = queue.pop()
            began = now()
            action()
            self.windows.append((began, now() + AFTERMATH))
            time.sleep(self.random.uniform(1, 5))

    def kill_replica(self):
        replica = self.random.choice(self.replicas)
        self.say(f"kill -9 {replica.name}")
        replica.process.end(signal.SIGKILL)
        time.sleep(self.random.uniform(0.5, 4))
        replica.start()
        replica.wait()

    def pause_replica(self):
        replica, pause = self.random.choice(self.replicas), self.random.uniform(2, 18)
        self.say(f"stop {replica.name} for {pause:.0f} s")
        replica.process.send(signal.SIGSTOP)
        time.sleep(pause)
        replica.process.send(signal.SIGCONT)
        replica.wait()

    def kill_agent(self):
        agent = self.random.choice(self.agents)
        self.say(f"kill -9 the agent of {agent.host.name}")
        agent.process.end(signal.SIGKILL)
        time.sleep(self.random.uniform(0, 2))
        agent.process.start()
        within(20, f"{agent.host.name} to be back", agent.status)

    def pause_agent(self):
        agent, pause = self.random.choice(self.agents), self.random.uniform(1, 8)
        self.say(f"stop the agent of {agent.host.name} for {pause:.0f} s")
        agent.process.send(signal.SIGSTOP)
        time.sleep(pause)
        agent.process.send(signal.SIGCONT)

    def cut_off_agent(self):
        agent, pause = self.random.choice(self.agents), self.random.uniform(2, 20)
        self.say(f"cut {agent.host.name} off for {pause:.0f} s")
        agent.host.cut_off(True)
        time.sleep(pause)
        agent.host.cut_off(False)

    def fill_disk(self):
        agent, pause = self.random.choice(self.agents), self.random.uniform(2, 8)
        self.say(f"fill the disk of {agent.host.name} for {pause:.0f} s")
        agent.fill_disk(True)
        time.sleep(pause)
        agent.fill_disk(False)

    def step_clock(self):
        agent, pause = self.random.choice(self.agents), self.random.uniform(3, 8)
        step = self.random.choice((-3600, -60, 60, 1200))
        self.say(f"set the clock of {agent.host.name} by {step} s for {pause:.0f} s")
        agent.set_clock(step)
        time.sleep(pause)
        agent.set_clock(0)

    def restart_database(self):
        self.say("kill -9 the primary, which comes back")
        self.database.restart()
        for replica in self.replicas:
            replica.wait()

    def promote_standby(self):
        self.say("kill -9 the primary; the standby is promoted")
        self.database.promote()
        for replica in self.replicas:
            replica.wait()
        self.database.rebuild()

    # -- the judges

    def is_disturbed(self, began, ended):
        if began < self.flows_since or ended > self.flows_until:
            return True
        return any(began < until and ended > since for since, until in self.windows)

    def judge_denials(self):
        exchanges = self.history("web", is_ok=True)
        held = 0
        for index, (_, answered, action, is_complete) in enumerate(self.policy):
            if action != "deny" or not is_complete:
                continue
            held += 1
            after = next((sent for sent, _, later, _ in self.policy[index + 1 :] if later == "allow"), float("inf"))
            for kind, began, ended, _ in exchanges:
                if began > answered + BOUND and ended < after:
                    self.violated(f"web was served {began - answered:.2f} s after its denial was acknowledged ({kind})")
                    break
        return held

    def judge_reports(self):
        latencies, failures = [], 0
        for kind, began, ended, is_ok in self.history("reports", "new"):
            if self.is_disturbed(began, ended):
                continue
            if is_ok:
                latencies.append(ended - began)
            else:
                failures += 1
        if failures:
            self.violated(f"{failures} connections of reports failed outside of any fault")
        latencies.sort()
        return latencies

    def judge_convergence(self, before):
        for replica in self.replicas:
            for action in ("deny", "allow"):
                self.change(replica, action, f"last-{replica.name}-{action}")
                if not self.policy[-1][3]:
                    self.violated(f"{replica.name}: a change is not enforced everywhere in the end")
        places = {(status.get("epoch"), status.get("revision")) for status in (agent.status() for agent in self.agents[:2])}
        if len(places) != 1:
            self.violated(f"the two hosts of one service enforce {places} in the end")
        for replica in self.replicas:
            lost = [
                name for name in sorted(self.written)
                if replica.ask("GET", f"/v1/services/default/{name}", self.token)[0] != 200
            ]
            if lost:
                self.violated(f"{replica.name} lost {len(lost)} acknowledged writes, {lost[0]} among them")
        for process, old in before:
            usage = process.usage()
            for what in ("descriptors", "threads"):
                if usage[what] > old[what] + 10:
                    self.violated(f"{process.name}: {usage[what]} {what}, {old[what]} at first")
            if usage["memory"] > old["memory"] * 2 + 32 * 1024:
                self.violated(f"{process.name}: {usage['memory']} KiB, {old['memory']} at first")
        return places

    def perform(self):
        self.build()
        self.flows_since = now()
        time.sleep(5)
        processes = [replica.process for replica in self.replicas] + [agent.process for agent in self.agents]
        before = [(process, process.usage()) for process in processes]
        tasks = [threading.Thread(target=task, daemon=True) for task in (self.change_policies, self.watch_revisions)]
        for task in tasks:
            task.start()
        self.break_things(now() + self.duration)
        self.say(f"no more faults; {CALM} s to settle")
        calm = now() + AFTERMATH
        time.sleep(CALM)
        self.flows_until = now()
        self.is_over.set()
        for task in tasks:
            task.join(30)
        late = [status for at, status in self.refused_writes if at > calm and status >= 500]
        if late:
            self.violated(f"{len(late)} writes were refused with {late[0]} after the last fault")
        places = self.judge_convergence(before)
        held = self.judge_denials()
        latencies = self.judge_reports()
        if held < 3:
            self.violated(f"only {held} denials were acknowledged: nothing was proved")
        if len(latencies) < 100:
            self.violated(f"only {len(latencies)} connections fell outside of faults: nothing was proved")
        else:
            self.say(
                f"reports outside of faults: {len(latencies)} connections,"
                f" p50 {latencies[len(latencies) // 2] * 1e3:.1f} ms, p99 {latencies[len(latencies) * 99 // 100] * 1e3:.1f} ms"
            )
        self.say(
            f"{len(self.windows)} faults, {len(self.policy)} policy changes, {held} denials held,"
            f" {len(self.written)} acknowledged writes there, its hosts at {places}"
        )

    def clean_up(self):
        for process in getattr(self, "programs", []):
            process.end(signal.SIGKILL)
        for owner in getattr(self, "agents", []) + getattr(self, "replicas", []):
            owner.process.end(signal.SIGKILL)
        if hasattr(self, "database"):
            self.database.stop()


def judge_the_judges():
    """Judges that see nothing would let everything pass."""
    for kept_on, failed, expected in ((False, False, 0), (True, False, 1), (False, True, 1), (True, True, 2)):
        run = Run(0, 0)
        run.say = lambda text: None
        run.flows_since, run.flows_until, run.windows = 0, 100, [(40, 60)]
        run.policy = [(9, 10, "deny", True), (20, 21, "allow", True), (30, 31, "deny", False)]
        # Too early to count, of the allowed time, under a denial that nobody acknowledged.
        web = ["new 10.5 10.6 1", "new 21.5 21.6 1", "kept 35 35.1 1", "new 15 15.1 0"]
        reports = ["new 50 50.1 0", "new 70 70.1 1"]
        web += ["kept 12 12.1 1"] if kept_on else []
        reports += ["new 80 80.1 0"] if failed else []
        for name, lines in (("web", web), ("reports", reports)):
            (run.root / f"{name}.history").write_text("\n".join(lines))
        run.judge_denials()
        run.judge_reports()
        shutil.rmtree(run.root)
        if len(run.violations) != expected:
            raise Failure(f"the judges found {run.violations}, not {expected} violations")


def main():
    parser = argparse.ArgumentParser(prog="deploy/faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--soak", type=seconds, default=150, metavar="30m", help="how long faults happen")
    arguments = parser.parse_args()
    print(f"faults: seed {arguments.seed}, {arguments.soak} s of faults", flush=True)
    judge_the_judges()
    run = Run(arguments.seed, arguments.soak)
    is_kept = True
    try:
        run.perform()
        is_kept = bool(run.violations)
    except (Failure, OSError, ValueError, http.client.HTTPException) as failure:
        run.violated(f"{type(failure).__name__}: {failure}")
    finally:
        run.clean_up()
        if is_kept:
            print(f"faults: logs and histories: {run.root}")
        else:
            shutil.rmtree(run.root, ignore_errors=True)
    if run.violations:
        print(f"faults: FAILED, seed {arguments.seed}: {len(run.violations)} violations", file=sys.stderr)
        return 1
    print("faults: everything held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
