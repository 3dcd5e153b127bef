"""A server for the example: prints what comes, and takes each idempotency key once."""

from http.server import BaseHTTPRequestHandler, HTTPServer

SEEN = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        key = self.headers["idempotency-key"]
        if key not in SEEN:
            SEEN.add(key)
            print(key, body, sep="\n", end="")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", 8089), Receiver).serve_forever()
