"""Compares the output that README.md shows of the demo with what a run has just printed.

Times, ages and milliseconds differ from run to run, and psql has two ways to say that its connection
was ended, by whether it was writing at that moment; everything else must be the same.
"""

import difflib
import re
import sys

ENDED = "server closed the connection unexpectedly"
FIRST, AFTER = "4. Refused by default", "8. Control plane and database"


def lines_of(text):
    text = re.sub(r"\d\d:\d\d:\d\d", "00:00:00", text)
    text = re.sub(r"\b\d+(ms|s) ago", "0s ago", text)
    text = re.sub(r"\b\d+ ms\b", "0 ms", text)
    text = text.replace("could not receive data from server: Connection reset by peer", ENDED)
    text = re.sub(re.escape(ENDED) + r"\s+This probably means [^.]*\.", ENDED, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def main():
    readme, run = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
    blocks = [block for block in re.findall(r"```text\n(.*?)```", readme, re.S) if FIRST in block]
    if len(blocks) != 1 or FIRST not in run or AFTER not in run:
        sys.exit("readme: README.md or the run lacks the steps 4 to 7 of the demo")
    shown = lines_of(blocks[0])
    printed = lines_of(run[run.index(FIRST) : run.index(AFTER)])
    difference = list(difflib.unified_diff(shown, printed, "README.md", "deploy/demo", lineterm=""))
    if difference:
        print("\n".join(difference))
        sys.exit("readme: README.md shows what deploy/demo no longer prints: copy the new output")
    print(f"readme: the {len(shown)} lines that README.md shows are what deploy/demo prints")


main()
