"""The data plane's rows of deploy/bench: pairs of proxies side by side, load on one core, all
proxies on the other. turnpike.sh says how ours is started; the peers' settings are here."""

import contextlib
import glob
import json
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import time

from measuring import (
    Failure, children_of, processor_seconds, proportional_memory, say,
)

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN = "bench.test"
LOAD_CORE, PROXY_CORE = "0", "1"
ANSWER = 1_024


def identity(name):
    return f"spiffe://{DOMAIN}/ns/app/svc/{name}"


def mesh_name(name):
    return f"{name}.app.svc.{DOMAIN}"


class Certificates:
    """A root and three leaves, as a mesh would issue them: P-256, one SPIFFE id and one name."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, mode=0o755)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "2", "-subj", "/CN=bench root", "-keyout",
                     self.path("root.key"), "-out", self.path("root.pem"))
        for name in ("web", "server", "stranger"):
            self.issue(name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def issue(self, name):
        with open(self.path(name + ".cnf"), "w") as file:
            file.write(
                f"subjectAltName = URI:{identity(name)}, DNS:{mesh_name(name)}\n"
                "keyUsage = critical, digitalSignature\n"
                "extendedKeyUsage = serverAuth, clientAuth\n"
                "basicConstraints = critical, CA:FALSE\n"
            )
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-subj", f"/CN={name}", "-keyout", self.path(name + ".key"),
                     "-out", self.path(name + ".csr"))
        self.openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA",
                     self.path("root.pem"), "-CAkey", self.path("root.key"), "-CAcreateserial",
                     "-days", "1", "-extfile", self.path(name + ".cnf"), "-out",
                     self.path(name + ".pem"))
        with open(self.path(name + ".both"), "w") as both:
            for part in (".pem", ".key"):
                with open(self.path(name + part)) as file:
                    both.write(file.read())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Turnpike:
    name = "turnpike"

    def __init__(self, options):
        self.binaries = options.binaries

    def command(self, side, listen, upstream, certificates, directory):
        mine = "web" if side == "client" else "server"
        environment = {
            "TURNPIKE_BIN": self.binaries, "ROLE": side, "DIR": directory,
            "LISTEN": f"127.0.0.1:{listen}", "UPSTREAM": f"127.0.0.1:{upstream}",
            "CERT": certificates.path(mine + ".pem"), "KEY": certificates.path(mine + ".key"),
            "CA": certificates.path("root.pem"), "MY_ID": identity(mine),
            "PEER_ID": identity("server"), "ALLOW_ID": identity("web"),
        }
        return ["sh", HERE + "/turnpike.sh", "start"], environment


class Nginx:
    name = "nginx"
    tls = ("protocols TLSv1.3", "conf_command Ciphersuites TLS_AES_128_GCM_SHA256")

    def command(self, side, listen, upstream, certificates, directory):
        mine = certificates.path("web" if side == "client" else "server")
        lines = ["daemon off;", "user root;", "worker_processes 1;", f"pid {directory}/pid;",
                 "error_log stderr crit;"]
        lines += [f"load_module {m};" for m in glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")]
        lines += ["events { worker_connections 9000; }", "stream {"]
        if side == "server":
            # This version's stream module knows no subject alternative name.
            lines += [f'map $ssl_client_s_dn $allowed {{ default ""; "CN=web" 127.0.0.1:{upstream}; }}']
        lines += ["server {", "tcp_nodelay on;", "proxy_timeout 2h;"]
        if side == "server":
            lines += [f"listen 127.0.0.1:{listen} ssl backlog=1024;", "proxy_pass $allowed;",
                      f"ssl_certificate {mine}.pem;", f"ssl_certificate_key {mine}.key;",
                      f"ssl_client_certificate {certificates.path('root.pem')};",
                      "ssl_verify_client on;", "ssl_session_cache off;",
                      "ssl_session_tickets off;", "ssl_ecdh_curve X25519;"]
            lines += [f"ssl_{setting};" for setting in self.tls]
        else:
            lines += [f"listen 127.0.0.1:{listen} backlog=1024;",
                      f"proxy_pass 127.0.0.1:{upstream};", "proxy_ssl on;",
                      f"proxy_ssl_certificate {mine}.pem;",
                      f"proxy_ssl_certificate_key {mine}.key;",
                      f"proxy_ssl_trusted_certificate {certificates.path('root.pem')};",
                      "proxy_ssl_verify on;", f"proxy_ssl_name {mesh_name('server')};",
                      "proxy_ssl_server_name on;", "proxy_ssl_session_reuse off;"]
            lines += [f"proxy_ssl_{setting};" for setting in self.tls]
        lines += ["}", "}", ""]
        with open(directory + "/conf", "w") as file:
            file.write("\n".join(lines))
        return ["nginx", "-p", directory, "-c", directory + "/conf", "-e", "stderr"], {}


class HAProxy:
    name = "haproxy"

    def command(self, side, listen, upstream, certificates, directory):
        mine = certificates.path("web.both" if side == "client" else "server.both")
        root = certificates.path("root.pem")
        tls = f"ssl crt {mine} ca-file {root} verify required ssl-min-ver TLSv1.3"
        tls += " ciphersuites TLS_AES_128_GCM_SHA256"
        lines = ["global", "nbthread 1", "maxconn 9000", "tune.ssl.cachesize 0", "defaults",
                 "mode tcp", "timeout connect 10s", "timeout client 2h", "timeout server 2h",
                 "listen relay"]
        if side == "server":
            lines += [f"bind 127.0.0.1:{listen} {tls} curves X25519 no-tls-tickets backlog 1024",
                      "tcp-request session reject unless { ssl_c_s_dn(cn) -m str web }",
                      f"server origin 127.0.0.1:{upstream}"]
        else:
            name = mesh_name("server")
            lines += [f"bind 127.0.0.1:{listen} backlog 1024",
                      f"server other 127.0.0.1:{upstream} {tls} no-ssl-reuse sni str({name})"
                      f" verifyhost {name}"]
        with open(directory + "/conf", "w") as file:
            file.write("\n".join(lines) + "\n")
        return ["haproxy", "-q", "-db", "-f", directory + "/conf"], {}


class Envoy:
    """Envoy knows SPIFFE ids: the destination's is checked in the handshake, the source's by RBAC."""

    name = "envoy"

    def __init__(self, options):
        self.binary = options.envoy

    @staticmethod
    def typed(name, kind, **fields):
        kind = "type.googleapis.com/envoy.extensions." + kind
        return {"name": name, "typed_config": {"@type": kind, **fields}}

    def tls(self, mine, root, validation, **fields):
        common = {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                           "tls_maximum_protocol_version": "TLSv1_3", "ecdh_curves": ["X25519"]},
            "tls_certificates": [{"certificate_chain": {"filename": mine + ".pem"},
                                  "private_key": {"filename": mine + ".key"}}],
            "validation_context": {"trusted_ca": {"filename": root}, **validation},
        }
        return {"common_tls_context": common, **fields}

    def command(self, side, listen, upstream, certificates, directory):
        mine = certificates.path("web" if side == "client" else "server")
        root = certificates.path("root.pem")
        place = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        relay = self.typed("relay", "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="r",
                           cluster="other", idle_timeout="7200s")
        many = {"max_connections": 20_000, "max_pending_requests": 20_000}
        cluster = {
            "name": "other", "type": "STATIC", "connect_timeout": "10s",
            "circuit_breakers": {"thresholds": [many]},
            "load_assignment": {"cluster_name": "other", "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": place(int(upstream))}}]}]},
        }
        chain = {"filters": [relay]}
        if side == "server":
            source = {"authenticated": {"principal_name": {"exact": identity("web")}}}
            rule = {"permissions": [{"any": True}], "principals": [source]}
            chain["filters"].insert(0, self.typed(
                "who", "filters.network.rbac.v3.RBAC", stat_prefix="w",
                rules={"action": "ALLOW", "policies": {"web": rule}}))
            chain["transport_socket"] = self.typed(
                "tls", "transport_sockets.tls.v3.DownstreamTlsContext",
                **self.tls(mine, root, {}, require_client_certificate=True,
                           disable_stateless_session_resumption=True,
                           disable_stateful_session_resumption=True))
        else:
            name = {"san_type": "URI", "matcher": {"exact": identity("server")}}
            cluster["transport_socket"] = self.typed(
                "tls", "transport_sockets.tls.v3.UpstreamTlsContext",
                **self.tls(mine, root, {"match_typed_subject_alt_names": [name]},
                           sni=mesh_name("server"), max_session_keys=0))
        listener = {"name": "front", "address": place(int(listen)), "tcp_backlog_size": 1_024,
                    "filter_chains": [chain]}
        with open(directory + "/conf.json", "w") as file:
            json.dump({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, file)
        return [self.binary, "--concurrency", "1", "--disable-hot-restart", "-l", "error",
                "-c", directory + "/conf.json"], {}


class DataPlane:
    def __init__(self, options, work):
        self.options = options
        self.work = os.path.join(work, "data")
        self.bench = options.binaries + "/turnpike-bench"

    def prepare(self):
        if not os.path.exists(self.work):
            os.makedirs(self.work, mode=0o755)
            self.certificates = Certificates(self.work + "/certificates")

    def many_idle(self):
        """As many idle connections as one host may hold, over two pairs of ours: a process has two
        descriptors for each, and the hard limit is often 20,000."""
        self.prepare()
        count = 200 if self.options.check else 10_000
        ours = Turnpike(self.options)
        with self.pair(ours, 0) as first, self.pair(ours, 1) as second:
            pids = self.everything(first[2] + second[2])
            time.sleep(1)
            before = proportional_memory(pids)
            with self.holding(first[0], count // 2), self.holding(second[0], count // 2):
                kib = (proportional_memory(pids) - before) / 1024 / count
                spent = processor_seconds(pids)
                time.sleep(5)
                spent = processor_seconds(pids) - spent
                # Beside them a new one is served as ever.
                for front, _, proxies in (first, second):
                    self.load(front, proxies, "connections", 4, 1)
        yield {"many_idle_count": count, "many_idle_kib": kib, "many_idle_cpu_ms_s": spent * 200}

    def rounds(self):
        self.prepare()
        peers = [Turnpike(self.options), Nginx(), HAProxy()]
        if self.options.envoy:
            peers.append(Envoy(self.options))
        size = os.path.getsize(self.options.binaries + "/turnpike-agent")
        yield {"agent_mib": size / 2**20}
        for number in range(self.options.rounds):
            results = {}
            for peer in peers:
                began = time.time()
                results[peer.name] = self.measure(peer, number)
                say(f"data: {peer.name} round {number + 1}: " + ", ".join(
                    f"{key} {value:.3g}" for key, value in results[peer.name].items())
                    + f" ({time.time() - began:.0f} s)")
            yield {f"{name}_{key}": value for name, figures in results.items()
                   for key, value in figures.items()} | self.ratios(results)

    @staticmethod
    def ratios(results):
        ours, nginx = results["turnpike"], results["nginx"]
        ratios = {}
        for key in ("cpu_100k", "cpu_gib", "cpu_ms_connection"):
            if key in ours and key in nginx:
                ratios["ratio_" + key] = ours[key] / nginx[key]
        best = min(figures["cpu_rate"] for name, figures in results.items() if name != "turnpike")
        ratios["ratio_cpu_rate"] = ours["cpu_rate"] / best
        return ratios

    @contextlib.contextmanager
    def running(self, arguments, core, environment=None, port=None, log=None):
        with open(log or os.devnull, "ab") as sink:
            process = subprocess.Popen(
                ["taskset", "-c", core, *arguments], stdin=subprocess.DEVNULL, stdout=sink,
                stderr=sink, env=dict(os.environ, **(environment or {})),
            )
            try:
                end = time.time() + 20
                while port:
                    with contextlib.suppress(OSError):
                        socket.create_connection(("127.0.0.1", port), 1).close()
                        break
                    if process.poll() is not None or time.time() > end:
                        raise Failure(f"{arguments[0]} does not listen: {self.tail(log)}")
                    time.sleep(0.05)
                yield process
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                if process.poll() is None:
                    process.kill()
                    process.wait()

    @staticmethod
    def tail(path):
        if not path:
            return ""
        with open(path, errors="replace") as file:
            return file.read()[-500:]

    @contextlib.contextmanager
    def pair(self, peer, number=0):
        """The two proxies and the origin; gives the front port, the far port and the processes."""
        origin, far, front = free_port(), free_port(), free_port()
        with contextlib.ExitStack() as stack:
            arguments = [self.bench, "origin", f"127.0.0.1:{origin}"]
            stack.enter_context(self.running(arguments, LOAD_CORE, port=origin))
            proxies = []
            for side, listen, upstream in (("server", far, origin), ("client", front, far)):
                directory = os.path.join(self.work, f"{peer.name}-{side}-{number}")
                shutil.rmtree(directory, ignore_errors=True)
                os.makedirs(directory, mode=0o755)
                arguments, environment = peer.command(
                    side, listen, upstream, self.certificates, directory
                )
                proxies.append(stack.enter_context(self.running(
                    arguments, PROXY_CORE, environment, listen, directory + "/log")))
            time.sleep(0.3)
            yield front, far, proxies

    @staticmethod
    def everything(proxies):
        return [pid for process in proxies for pid in (process.pid, *children_of(process.pid))]

    def load(self, front, proxies, mode, connections, seconds, rate=0):
        """One kind of load; gives what it did and what the proxies paid for it."""
        pids = self.everything(proxies)
        before = processor_seconds(pids)
        done = subprocess.run(
            ["taskset", "-c", LOAD_CORE, self.bench, "load", f"127.0.0.1:{front}", mode,
             str(connections), str(seconds), str(rate)],
            capture_output=True, text=True, timeout=120,
        )
        cost = processor_seconds(pids) - before
        if done.returncode:
            raise Failure(f"{mode}: {done.stderr[-300:]}")
        figures = json.loads(done.stdout)
        if figures["failures"] > max(5, figures["count"] / 1_000):
            raise Failure(f"{mode}: {figures['failures']} requests of {figures['count']} failed")
        return figures, cost

    def measure(self, peer, number):
        seconds = 1.5 if self.options.quick else 3
        result = {}
        with self.pair(peer) as (front, far, proxies):
            if number == 0:
                self.demand_enforcement(peer, far)
            if number == 0 and not self.options.check:
                result |= self.memory(front, proxies)
            done, cost = self.load(front, proxies, "requests", 64, seconds)
            result["per_s"] = done["count"] / done["seconds"]
            result["cpu_100k"] = cost * 1e5 / done["count"]
            done, cost = self.load(front, proxies, "rate", 64, seconds, 5_000)
            result["cpu_rate"] = cost * 1e5 / done["count"]
            done, cost = self.load(front, proxies, "bulk", 4, seconds)
            result["cpu_gib"] = cost * 2**30 / done["bytes"]
            done, cost = self.load(front, proxies, "connections", 16, seconds)
            result["cpu_ms_connection"] = cost * 1e3 / done["count"]
        return result

    @contextlib.contextmanager
    def holding(self, front, count):
        """So many connections that were used once and then fell silent."""
        process = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, self.bench, "load", f"127.0.0.1:{front}", "idle",
             str(count), "0", "0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        try:
            opened = json.loads(process.stdout.readline() or "{}").get("idle", 0)
            if opened < count:
                raise Failure(f"idle: {opened} connections of {count}")
            # Long enough for whoever gives buffers back when a connection falls silent.
            time.sleep(8)
            yield
        finally:
            process.stdin.close()
            process.wait(60)
            process.stdout.close()

    def memory(self, front, proxies):
        count = 512 if self.options.quick else 4_096
        time.sleep(1)
        pids = self.everything(proxies)
        before = proportional_memory(pids)
        with self.holding(front, count):
            after = proportional_memory(pids)
        return {"idle_mib": before / 2**20 / 2, "kib_connection": (after - before) / 1024 / count}

    def demand_enforcement(self, peer, far):
        """A proxy that lets the wrong one in gets no figures."""
        if not self.answers(far, "web"):
            raise Failure(f"{peer.name} refuses the identity that is allowed")
        if self.answers(far, "stranger"):
            raise Failure(f"{peer.name} lets another identity in")
        if self.answers(far, None):
            raise Failure(f"{peer.name} lets somebody without a certificate in")

    def answers(self, port, who):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificates.path("root.pem"))
        if who:
            path = self.certificates.path(who)
            context.load_cert_chain(path + ".pem", path + ".key")
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as plain:
                with context.wrap_socket(plain, server_hostname=mesh_name("server")) as stream:
                    stream.sendall(b"a" * 64)
                    return bool(stream.recv(ANSWER))
        except (OSError, ssl.SSLError):
            return False
