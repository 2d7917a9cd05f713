"""A program that uses an upstream port without end: client.py PORT HISTORY

Writes one line for each exchange: kind (`new` connection or the `kept` one), when it began and
ended on the clock that all processes share, and whether what came back was what was sent.
"""

import os
import socket
import sys
import threading
import time

port, history = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
lock = threading.Lock()
PATIENCE = 3


def note(kind, began, is_ok):
    with lock:
        history.write(f"{kind} {began:.6f} {time.clock_gettime(time.CLOCK_MONOTONIC):.6f} {int(is_ok)}\n")


def exchange(connection):
    sent = os.urandom(64)
    connection.sendall(sent)
    received = b""
    while len(received) < len(sent):
        part = connection.recv(len(sent) - len(received))
        if not part:
            return False
        received += part
    if received != sent:
        os._exit(9)  # Bytes of somebody else: the run must not go on as if that could happen.
    return True


def connect():
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def fresh():
    while True:
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        try:
            with connect() as connection:
                is_ok = exchange(connection)
        except OSError:
            is_ok = False
        note("new", began, is_ok)
        time.sleep(0.02)


def kept():
    connection = None
    while True:
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        try:
            connection = connection or connect()
            is_ok = exchange(connection)
        except OSError:
            is_ok = False
        if not is_ok and connection:
            connection.close()
            connection = None
        note("kept", began, is_ok)
        time.sleep(0.05)


threading.Thread(target=fresh, daemon=True).start()
kept()
