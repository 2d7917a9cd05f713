"""Runs the demo until it is up, presses Ctrl-C as a terminal does, and sees that nothing is left."""

import glob
import os
import signal
import subprocess
import sys

LAST_LINE = "effective_access"
MARKS = ("turnpike-demo", "turnpike-server", "turnpike-agent")


def left_over():
    commands = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                commands.append(file.read().replace("\0", " "))
        except OSError:
            continue
    return [command for command in commands if any(mark in command for mark in MARKS)]


def main():
    before = left_over()
    demo = subprocess.Popen(
        ["deploy/demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    output = ""
    for line in demo.stdout:
        output += line
        if LAST_LINE in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    output += demo.stdout.read()
    if demo.wait() != 0 or "stopping everything" not in output:
        sys.exit(f"interrupt: exit status {demo.returncode} after:\n{output}")
    left = [line for line in left_over() if line not in before]
    if left or os.path.exists("/var/tmp/turnpike-demo"):
        sys.exit("interrupt: the demo left behind:\n" + "\n".join(left or ["its directory"]))
    print("interrupt: Ctrl-C ended the demo and everything that it had started")


main()
