"""Answers as the metadata server, Secret Manager and Storage do.

Secrets are the files /google/secrets/PROJECT/NAME, objects /google/objects/BUCKET/NAME: a test changes them there.
"""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path("/google")
TOKEN = "token-of-the-vm"


class Handler(BaseHTTPRequestHandler):
    """One answer; whoever lacks what Google asks for is refused as there."""

    def do_GET(self):
        host, path = self.headers["Host"], self.path
        if host == "metadata.google.internal":
            self.metadata(path)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        elif host == "secretmanager.googleapis.com":
            self.secret(path)
        else:
            self.file(FOLDER / "objects" / path.removeprefix("/"))

    def metadata(self, path):
        if self.headers["Metadata-Flavor"] != "Google":
            self.answer(403, {})
        elif path == "/computeMetadata/v1/instance/service-accounts/default/token":
            self.answer(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}, indent=None)
        else:
            self.answer(404, {})

    def secret(self, path):
        _, version, _, project, _, name, _, asked = path.split("/")
        source = FOLDER / "secrets" / project / name
        if (version, asked) != ("v1", "latest:access") or not source.is_file():
            self.answer(404, {"error": {"code": 404, "status": "NOT_FOUND"}})
            return
        data = base64.b64encode(source.read_bytes()).decode()
        payload = {"data": data, "dataCrc32c": "1"}
        self.answer(200, {"name": f"projects/1/secrets/{name}/versions/1", "payload": payload}, indent=2)

    def file(self, path):
        if path.is_file():
            self.send(200, path.read_bytes(), "text/plain")
        else:
            self.send(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")

    def answer(self, status, body, indent=2):
        self.send(status, json.dumps(body, indent=indent).encode(), "application/json")

    def send(self, status, body, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    """Serve plain HTTP for the metadata, TLS for the rest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tls/server.crt", "/tls/server.key")
    secure = ThreadingHTTPServer(("", 443), Handler)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 80), Handler).serve_forever()


if __name__ == "__main__":
    main()
