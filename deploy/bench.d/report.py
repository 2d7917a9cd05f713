"""Figures as tables: on the terminal, in JSON, in docs/performance.md."""

import json
import os
import time

# Key, what it is, unit, how it is written, goal (None: no goal of its own), whether more is better.
ROWS = [
    ("leaves_per_s", "leaf certificates", "per CPU-s", "{:,.0f}", None, True),
    ("signs_per_s", "`openssl speed`, P-256 signatures", "per CPU-s", "{:,.0f}", None, True),
    ("leaves_ratio", "leaves / signatures", "", "{:.3f}", 0.17, True),
    ("reads_per_core", "REST reads, database included", "per CPU-s", "{:,.0f}", None, True),
    ("selects_per_core", "pgbench, one row by key", "per CPU-s", "{:,.0f}", None, True),
    ("reads_ratio", "reads / selects", "", "{:.3f}", 0.5, True),
    ("read_server_us", "one read: server", "CPU-us", "{:.0f}", None, False),
    ("read_database_us", "one read: database", "CPU-us", "{:.0f}", None, False),
]
for size, limit in ((1_000, 250), (10_000, 1_000)):
    ROWS += [
        (f"push_{size}_p50_ms", f"push to {size:,} agents, p50", "ms", "{:,.0f}", None, False),
        (f"push_{size}_p99_ms", f"push to {size:,} agents, p99", "ms", "{:,.0f}", limit, False),
        (f"push_{size}_max_ms", f"push to {size:,} agents, last", "ms", "{:,.0f}", None, False),
        (f"push_{size}_answer_ms", "answer of `?wait=enforced`", "ms", "{:,.0f}", None, False),
        (f"push_{size}_server_cpu_us", "server, for each agent", "CPU-us", "{:.0f}", None, False),
        (f"push_{size}_database_cpu_us", "database, for each", "CPU-us", "{:.0f}", None, False),
        (f"push_{size}_fleet_cpu_us", "load generator, for each", "CPU-us", "{:.0f}", None, False),
        (f"push_{size}_kib_per_agent", f"server memory per agent of {size:,}", "KiB", "{:.1f}",
         40, False),
        (f"push_{size}_connect_s", f"{size:,} agents connect at once", "s", "{:.1f}", None, False),
    ]
ROWS += [
    ("cold_listening_s", "cold start: the ports listen", "s", "{:.2f}", None, False),
    ("cold_ready_s", "cold start: the configuration is read", "s", "{:.2f}", None, False),
    ("cold_first_s", "cold start: first snapshot", "s", "{:.2f}", 3, False),
    ("cold_all_s", "cold start: last of 1,000 agents", "s", "{:.2f}", None, False),
    ("cold_pause_ms", "largest pause of a reactor", "ms", "{:.0f}", 20, False),
]
ROWS += [
    ("issue_per_s", "leases issued, 8 connections", "per s", "{:,.0f}", None, True),
    ("create_role_per_s", "pgbench, CREATE ROLE with the same verifier", "per s", "{:,.0f}", None,
     True),
    ("issue_ratio", "leases / CREATE ROLE", "", "{:.2f}", 0.8, True),
    ("issue_p50_ms", "one lease, p50", "ms", "{:.1f}", None, False),
    ("issue_p99_ms", "one lease, p99", "ms", "{:.1f}", None, False),
    ("issue_server_us", "one lease: server", "CPU-us", "{:,.0f}", None, False),
    ("issue_database_us", "one lease: database", "CPU-us", "{:,.0f}", None, False),
    ("issue_target_us", "one lease: target", "CPU-us", "{:,.0f}", None, False),
    ("kv_per_core", "reads of a secret, database and audit included", "per CPU-s", "{:,.0f}", None,
     True),
    ("kv_ratio", "reads of a secret / selects", "", "{:.3f}", 0.5, True),
    ("kv_server_us", "one read of a secret: server", "CPU-us", "{:.0f}", None, False),
    ("kv_database_us", "one read of a secret: database", "CPU-us", "{:.0f}", None, False),
    ("drain_per_s", "200,000 due leases are done with", "per s", "{:,.0f}", None, True),
    ("drain_hand_per_s", "pgbench, the same statements", "per s", "{:,.0f}", None, True),
    ("drain_ratio", "ours / pgbench", "", "{:.2f}", 0.5, True),
    ("probe_first_ms", "1,000,000 leases: first look for due ones after a cold start", "ms",
     "{:.1f}", 50, False),
    ("leases_ready_s", "1,000,000 leases: cold start", "s", "{:.2f}", None, False),
    ("end_p50_ms", "expiry to access ended, 1,000 leases a minute, p50", "ms", "{:.0f}", None, False),
    ("end_p99_ms", "expiry to access ended, p99", "ms", "{:.0f}", 1_000, False),
    ("end_max_ms", "expiry to access ended, last", "ms", "{:.0f}", None, False),
    ("lane_per_s", "pgbench -S through the agent, no password", "per s", "{:,.0f}", None, True),
    ("lane_direct_per_s", "pgbench -S direct, TLS and a password", "per s", "{:,.0f}", None, True),
    ("lane_ratio", "through the agent / direct", "", "{:.2f}", 0.7, True),
    ("lane_connect_ms", "connect and select through the agent", "ms", "{:.2f}", None, False),
    ("lane_direct_connect_ms", "connect and select direct", "ms", "{:.2f}", None, False),
    ("lane_connect_ratio", "through the agent / direct", "", "{:.2f}", 2.0, False),
]
for key, name, unit, form in (
    ("cpu_100k", "one-to-one mTLS, 100k requests", "CPU-s", "{:.2f}"),
    ("cpu_gib", "a GiB through the pair", "CPU-s", "{:.2f}"),
    ("cpu_ms_connection", "a new mTLS connection", "CPU-ms", "{:.3f}"),
    ("cpu_rate", "100k requests at 5,000/s", "CPU-s", "{:.2f}"),
    ("kib_connection", "an idle connection, pair", "KiB", "{:.1f}"),
    ("idle_mib", "an idle process, PSS", "MiB", "{:.1f}"),
    ("per_s", "requests, one core for both proxies", "per s", "{:,.0f}"),
):
    goals = {"kib_connection": 40, "idle_mib": 10}
    for peer in ("turnpike", "nginx", "haproxy", "envoy"):
        goal = goals.get(key) if peer == "turnpike" else None
        ROWS.append((f"{peer}_{key}", f"{name}: {peer}", unit, form, goal, key == "per_s"))
    if key in ("cpu_100k", "cpu_gib", "cpu_ms_connection"):
        ROWS.append((f"ratio_{key}", "ours / nginx", "", "{:.2f}", 0.9, False))
    if key == "cpu_rate":
        ROWS.append((f"ratio_{key}", "ours / the best peer", "", "{:.2f}", 1.0, False))
ROWS += [
    ("many_idle_count", "idle connections at once, over two pairs", "", "{:,.0f}", 10_000, True),
    ("many_idle_kib", "each of them, pair", "KiB", "{:.1f}", 40, False),
    ("many_idle_cpu_ms_s", "four idle agents that hold them", "CPU-ms per s", "{:.1f}", None, False),
]
ROWS.append(("agent_mib", "the agent's program, static, stripped", "MiB", "{:.1f}", 16, False))


def table(figures):
    lines = ["| what | median | min | max | goal | met |", "|---|---|---|---|---|---|"]
    for key, name, unit, form, goal, more in ROWS:
        figure = figures.get(key)
        if figure is None:
            continue
        median = form.format(figure["median"]) + (" " + unit if unit else "")
        wish = met = ""
        if goal is not None:
            wish = (">= " if more else "<= ") + f"{goal:,}" + (" " + unit if unit else "")
            met = "yes" if (figure["median"] >= goal) == more or figure["median"] == goal else "no"
        low, high = form.format(figure["min"]), form.format(figure["max"])
        lines.append(f"| {name} | {median} | {low} | {high} | {wish} | {met} |")
    return "\n".join(lines)


def machine():
    """What the figures were taken on."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "?")
    with open("/proc/loadavg") as file:
        load = file.read().split()[0]
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "load": load,
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def keep(options, figures, problems, before):
    """Adds the rows of this run to those of earlier ones, in the JSON and in the document."""
    document = "docs/performance.md"
    kept = {}
    if os.path.exists(options.json):
        with open(options.json) as file:
            kept = json.load(file)
    rows = kept.get("rows", {})
    for key, figure in figures.items():
        rows[key] = figure | {"when": before["when"], "load_before": before["load"]}
    kept = {"machine": before, "rows": rows, "problems": problems}
    with open(options.json, "w") as file:
        json.dump(kept, file, indent=1, sort_keys=True)
        file.write("\n")
    if options.no_docs or not os.path.exists(document):
        return
    with open(document) as file:
        text = file.read()
    begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    note = (f"{before['cores']} cores of {before['cpu']}, Linux {before['kernel']}; last run"
            f" {before['when']}, load average before it {before['load']}.")
    with open(document, "w") as file:
        file.write(f"{head}{begin}\n{note}\n\n{table(rows)}\n{end}{tail}")
