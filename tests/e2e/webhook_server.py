"""A small webhook server, as an operator would bring one: run as a process by the tests."""

from __future__ import annotations

import base64
import datetime
import json
import socket
import ssl
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "hook.hooked.svc", "hook.converted.svc")


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps(reviewed(self.path, json.loads(body))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def reviewed(path: str, review: dict[str, Any]) -> dict[str, Any]:
    request = review["request"]
    if path.startswith("/convert"):
        return {**review, "request": None, "response": converted(request)}
    response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    if path.startswith("/validate"):
        response["allowed"] = request["name"] != "bad"
        if not response["allowed"]:
            response["status"] = {"message": "no bad names"}
    elif request["operation"] == "CREATE":
        response["warnings"] = ["mind the gap"]
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"stamped": "yes"}}]
        response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        response["patchType"] = "JSONPatch"
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


def converted(request: dict[str, Any]) -> dict[str, Any]:
    """Of shops: `spec.size` in v1 is `spec.measures.size` in v2."""
    objects = []
    for obj in request["objects"]:
        spec = dict(obj["spec"])
        if request["desiredAPIVersion"].endswith("/v2"):
            if "size" in spec:
                spec["measures"] = {"size": spec.pop("size")}
        elif "measures" in spec:
            spec["size"] = spec.pop("measures").get("size")
        objects.append({**obj, "apiVersion": request["desiredAPIVersion"], "spec": spec})
    return {
        "uid": request["uid"],
        "convertedObjects": objects,
        "result": {"status": "Success"},
    }


def certificate(path: Path, dns: Sequence[str] = NAMES) -> tuple[Path, bytes]:
    """A self-signed one, which is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hook")])
    now = datetime.datetime.now(datetime.UTC)
    import ipaddress

    names = [x509.DNSName(n) for n in dns]
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*names, here]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    file = path / "hook.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(made + private)
    return file, made


def own_address() -> str:
    """An address of this host that is not loopback: endpoints may not be there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def main() -> None:
    file, ca = certificate(Path(sys.argv[1]))
    host = own_address()
    server = ThreadingHTTPServer(("0.0.0.0", 0), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    said = {"port": server.server_address[1], "host": host, "ca": base64.b64encode(ca).decode()}
    print(json.dumps(said), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
