"""The demo's web service: one page from one database session that it keeps open."""

import http.server
import os
import subprocess
import sys
import threading

LISTEN = ("127.0.0.2", int(sys.argv[1]))
QUERY = "select count(*), sum(amount) from orders;"


class Session:
    """One psql that stays connected; gone for good once its connection is cut."""

    def __init__(self):
        self.lock = threading.Lock()
        self.psql = None

    def open(self):
        self.psql = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ,
        )

    def ask(self):
        with self.lock:
            if self.psql is None:
                self.open()
            try:
                self.psql.stdin.write(QUERY + "\n\\echo end\n")
                self.psql.stdin.flush()
            except OSError:
                pass
            lines = []
            for line in self.psql.stdout:
                if line.strip() == "end":
                    break
                lines.append(line.strip())
            text = " ".join(lines)
            if "|" in text and "connection" not in text:
                return True, f"orders: {text.split('|')[0]}, worth {text.split('|')[1]}"
            self.psql.kill()
            self.psql.wait()
            self.psql = None
            return False, "the session to orders-db is cut: " + (text or "psql has ended")


SESSION = Session()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_open, text = SESSION.ask()
        body = f"web: {text}\n".encode()
        self.send_response(200 if is_open else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(LISTEN, Page).serve_forever()
