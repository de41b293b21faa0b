"""The file that tells kubectl where the cluster is and who asks."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from busk8s.config import write_private
from busk8s.master.apiserver.pki import CLIENTS, Pki


def render(
    server: str, ca: bytes, *, user: str, cluster: str, certificate: bytes = b"", key: bytes = b"",
    token: str = "",
) -> str:  # fmt: skip
    """A kubeconfig as JSON (which is YAML): everything inline, so the file can be moved."""

    def inline(data: bytes) -> str:
        return base64.b64encode(data).decode()

    credentials = (
        {"token": token}
        if token
        else {"client-certificate-data": inline(certificate), "client-key-data": inline(key)}
    )
    name = f"busk8s-{cluster}"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": server, "certificate-authority-data": inline(ca)},
                }
            ],
            "users": [{"name": f"{user}@{name}", "user": credentials}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": f"{user}@{name}"}}],
            "current-context": name,
            "preferences": {},
        },
        indent=2,
    )


def write(pki: Pki, path: Path, server: str, cluster: str, *, token: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, of_admin(pki, server, cluster, token=token).encode())


def of_admin(pki: Pki, server: str, cluster: str, *, token: bool) -> str:
    subject = CLIENTS["admin"].name
    if token:
        return render(server, pki.ca_pem, user=subject, cluster=cluster, token=pki.admin_token())
    return render(
        server,
        pki.ca_pem,
        user=subject,
        cluster=cluster,
        certificate=pki.certificate("admin").read_bytes(),
        key=pki.key("admin").read_bytes(),
    )
