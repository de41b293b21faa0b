"""A small extension API server with a plain door beside it: run as a process by the tests."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import webhook_server

GROUP = "ext.example.com/v1"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": GROUP,
    "resources": [
        {
            "name": "widgets",
            "singularName": "widget",
            "namespaced": True,
            "kind": "Widget",
            "verbs": ["get", "list", "watch"],
            "shortNames": ["wd"],
        }
    ],
}


class Extension(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == f"/apis/{GROUP}":
            self._say(RESOURCES)
        elif path.endswith("/widgets") and "watch=" in query:
            self._watch()
        elif path.endswith("/widgets"):
            items = [widget("w1")]
            self._say({"kind": "WidgetList", "apiVersion": GROUP, "metadata": {}, "items": items})
        else:
            user = self.headers.get("X-Remote-User", "")
            self._say({"path": self.path, "user": user})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"method": self.command, "body": body.decode()}, 201)

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name in ("w2", "w3"):
            line = json.dumps({"type": "ADDED", "object": widget(name)}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, data: Any, status: int = 200) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def widget(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"kind": "Widget", "apiVersion": GROUP, "metadata": metadata}


def main() -> None:
    file, ca = webhook_server.certificate(Path(sys.argv[1]), ("ext.default.svc",))
    server = ThreadingHTTPServer(("0.0.0.0", 0), Extension)
    plain = ThreadingHTTPServer(("0.0.0.0", 0), Extension)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    said = {
        "port": server.server_address[1],
        "plain": plain.server_address[1],
        "host": webhook_server.own_address(),
        "ca": base64.b64encode(ca).decode(),
    }
    print(json.dumps(said), flush=True)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
