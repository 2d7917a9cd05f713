"""deploy/bench: runs the rows, prints them, keeps them. See deploy/bench."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import control
import dataplane
import leases
import report
from measuring import Failure, say


def main():
    parser = argparse.ArgumentParser(prog="deploy/bench")
    parser.add_argument("--binaries", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--envoy", default="", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one short round of each; writes nothing")
    parser.add_argument("--check", action="store_true", help="a small run that writes nothing")
    parser.add_argument("--only", default="", help="leaves, reads, push, cold, data, idle, leases, or one of"
                        " issue, secrets, drain, probe, ends, passwordless")
    parser.add_argument("--rounds", type=int, default=0, help="instead of five")
    parser.add_argument("--agents", default="", help="sizes of the fleet, 1000,10000 if absent")
    parser.add_argument("--json", default="bench.json", help="where the figures go")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    options.quick = options.quick or options.check
    options.rounds = options.rounds or (1 if options.quick else 5)
    control.raise_descriptor_limit()
    work = tempfile.mkdtemp(prefix="turnpike-bench-")
    os.chmod(work, 0o711)
    before = report.machine()
    rows, problems = {}, []
    try:
        for name, rounds in measurements(options, work):
            took = time.time()
            try:
                for figures in rounds():
                    for key, value in figures.items():
                        rows.setdefault(key, []).append(value)
            except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                problems.append(f"{name}: {error}")
                say(f"{name}: FAILED: {error}")
            say(f"{name}: {time.time() - took:.0f} s")
    finally:
        if options.keep:
            say("kept " + work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    figures = {
        key: {"median": statistics.median(values), "min": min(values), "max": max(values),
              "rounds": len(values)}
        for key, values in rows.items()
    }
    print(report.table(figures))
    # A short run is of smaller things, whose figures would stand under the names of the large ones.
    if not options.quick:
        report.keep(options, figures, problems, before)
    sys.exit(1 if problems else 0)


def measurements(options, work):
    """The names and the work of all rows that are wished for."""
    wished = [name for name in options.only.split(",") if name]
    plane = control.ControlPlane(options, work)
    sizes = [int(size) for size in options.agents.split(",") if size]
    if not sizes:
        sizes = [50] if options.check else [1_000] if options.quick else [1_000, 10_000]
    every = [("leaves", plane.leaves), ("reads", plane.reads)]
    # One process may hold half of what its descriptor limit allows, and one address 4,096 streams.
    every += [
        ("push", lambda size=size: plane.push(size, 1 if size <= 2_000 else 4)) for size in sizes
    ]
    data = dataplane.DataPlane(options, work)
    every += [("cold", plane.cold), ("data", data.rounds), ("idle", data.many_idle)]
    held = leases.Leases(plane, options, work)
    of_leases = [("issue", held.issue), ("secrets", held.secrets), ("drain", held.drain),
                 ("probe", held.probe), ("ends", held.ends), ("passwordless", held.passwordless)]
    for name, rounds in every + of_leases:
        parts = {name, "leases"} if (name, rounds) in of_leases else {name}
        if not wished or parts & set(wished):
            yield name, rounds


main()
