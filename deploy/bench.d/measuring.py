"""What both halves of deploy/bench measure with: processes, from /proc."""

import contextlib
import os
import re
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Why a row has no figure."""


def say(text):
    print(f"# {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def stat_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()


def children_of(pid):
    """The processes that a process has started, and those that they have."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                parents.setdefault(int(stat_of(name)[1]), []).append(int(name))
    found = list(parents.get(pid, []))
    for child in found:
        found.extend(parents.get(child, []))
    return found


def processor_seconds(pids):
    """User and system time of processes, and of their children that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += sum(int(field) for field in stat_of(pid)[11:15])
    return total / TICK


def proportional_memory(pids):
    """Bytes; a page that several processes share counts by shares."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1]) * 1024
    return total
