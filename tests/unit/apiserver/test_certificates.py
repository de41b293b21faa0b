"""CertificateSigningRequests through the API: who may what, what is signed, what is cleared."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from test_rbac import Secured, rule

from busk8s.api.request import User
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.certificates import signers
from busk8s.master.apiserver.certificates.keeper import CertificateKeeper
from busk8s.master.apiserver.certificates.plan import DECIDED_S, PENDING_S, is_old
from busk8s.master.apiserver.certificates.request import Requested
from busk8s.master.apiserver.pki import Pki
from busk8s.master.apiserver.rbac.bootstrap import bootstrap_roles
from busk8s.tasks import Nursery

Json = dict[str, Any]
EPOCH = 1_800_000_000.0  # Of the clock that tests run on.
PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
JO = User("jo", ("system:authenticated",), "u-7", {"k": ("v",)})
KEY = ec.generate_private_key(ec.SECP256R1())
NODE_USAGES = ("client auth", "digital signature")


def pem(name: str, organization: str) -> bytes:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(KEY, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def request(
    name: str = "ann", group: str = "dev", signer: str = signers.CLIENT, **spec: Any
) -> Json:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "r"},
        "spec": {
            "request": base64.b64encode(pem(name, group)).decode(),
            "signerName": signer,
            "usages": ["client auth"],
            **spec,
        },
    }


class World(Secured):
    async def decide(self, kind: str, user: User | None = None) -> tuple[int, Json]:
        csr = await self.must("GET", f"{PATH}/r")
        csr["status"] = {"conditions": [{"type": kind, "status": "True", "reason": "Test"}]}
        more = {"user": user} if user else {}
        return await self.do("PUT", f"{PATH}/r/approval", csr, **more)

    async def settled(self) -> Json:
        await self.clock.sleep(1)
        return (await self.must("GET", f"{PATH}/r")).get("status") or {}

    async def grant(self, user: str, *rules: Json) -> None:
        group = "rbac.authorization.k8s.io"
        for kind, plural in (("ClusterRole", "clusterroles"), ("ClusterRoleBinding", "")):
            body: Json = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": user}}
            if plural:
                body["rules"] = list(rules)
            else:
                body["roleRef"] = {"apiGroup": group, "kind": "ClusterRole", "name": user}
                body["subjects"] = [{"apiGroup": group, "kind": "User", "name": user}]
            await self.must("POST", f"/apis/{group}/v1/{kind.lower()}s", body)


CREATE = rule("create get", "certificatesigningrequests", ("certificates.k8s.io",))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("csr") / "pki").ensure([], EPOCH)


@asynccontextmanager
async def world(pki: Pki) -> AsyncIterator[World]:
    api = World()
    chain = AdmissionChain(api.cache, ids=api.server.parts.ids, authorizer=api.authorizer)
    api.server.parts.admission = chain
    await api.open()
    for name in ("default", "kube-system", "kube-public"):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await api.must("POST", "/api/v1/namespaces", body)
    await bootstrap_roles(api.server.dispatch)
    keeper = CertificateKeeper(pki, api.cache, api.server.dispatch, api.authorizer, api.clock)
    async with Nursery() as nursery:
        nursery.spawn(keeper.run())
        yield api
        await nursery.close()


async def test_a_request_says_who_made_it_whatever_its_author_says(pki: Pki) -> None:
    async with world(pki) as api:
        await api.grant("jo", CREATE)
        made = await api.must("POST", PATH, request(username="root", groups=["x"]), user=JO)
    assert made["spec"]["username"] == "jo"
    assert made["spec"]["uid"] == "u-7"
    assert made["spec"]["groups"] == ["system:authenticated"]
    assert made["spec"]["extra"] == {"k": ["v"]}


async def test_an_approved_request_gets_a_certificate_that_names_its_subject(pki: Pki) -> None:
    async with world(pki) as api:
        await api.must("POST", PATH, request(expirationSeconds=700))
        assert "certificate" not in await api.settled()
        assert (await api.decide("Approved"))[0] == 200
        status = await api.settled()
    certificate = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
    authority = x509.load_pem_x509_certificate(pki.ca_pem)
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == "CN=ann,O=dev"
    held = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert held.total_seconds() == 1_000  # 700 asked for, and 300 backdated
    assert status["conditions"][0]["lastUpdateTime"]


async def test_a_denied_request_is_never_signed_and_stays_denied(pki: Pki) -> None:
    async with world(pki) as api:
        await api.must("POST", PATH, request())
        await api.decide("Denied")
        assert "certificate" not in await api.settled()
        status, said = await api.decide("Approved")
    assert status == 422
    assert 'may not remove a condition of type "Denied"' in said["message"]


async def test_approving_and_signing_need_their_verbs_on_the_signer(pki: Pki) -> None:
    update = rule(
        "update get",
        "certificatesigningrequests/approval certificatesigningrequests/status "
        "certificatesigningrequests",
        ("certificates.k8s.io",),
    )
    async with world(pki) as api:
        await api.grant("jo", update)
        await api.must("POST", PATH, request())
        status, said = await api.decide("Approved", JO)
        assert status == 403
        assert "user not permitted to approve requests with signerName" in said["message"]
        csr = await api.must("GET", f"{PATH}/r")
        csr["status"] = {"certificate": base64.b64encode(pki.ca_pem).decode()}
        status, said = await api.do("PUT", f"{PATH}/r/status", csr, user=JO)
        assert status == 403
        assert "user not permitted to sign" in said["message"]
        approve = rule(
            "approve", "signers", ("certificates.k8s.io",), resourceNames=["kubernetes.io/*"]
        )
        await api.grant("other", update, approve)
        assert (await api.decide("Approved", User("other")))[0] == 200


async def test_a_status_write_decides_nothing(pki: Pki) -> None:
    async with world(pki) as api:
        csr = await api.must("POST", PATH, request())
        csr["status"] = {"conditions": [{"type": "Approved", "status": "True"}]}
        status, said = await api.do("PUT", f"{PATH}/r/status", csr)
    assert status == 422
    assert "may not add a condition" in said["message"]


async def test_what_is_asked_for_never_changes(pki: Pki) -> None:
    async with world(pki) as api:
        csr = await api.must("POST", PATH, request())
        changed = request("root", "system:masters")
        changed["metadata"] = csr["metadata"]
        after = await api.must("PUT", f"{PATH}/r", changed)
    assert after["spec"] == csr["spec"]


async def test_nobody_asks_for_the_group_of_masters(pki: Pki) -> None:
    async with world(pki) as api:
        status, said = await api.do("POST", PATH, request("ann", "system:masters"))
    assert status == 403
    assert "system:masters group is not allowed" in said["message"]


@pytest.mark.parametrize(
    ("part", "user", "approved"),
    [
        pytest.param("nodeclient", "booter", True, id="a bootstrapper for a new node"),
        pytest.param("selfnodeclient", "system:node:n1", True, id="a node for itself"),
        pytest.param("selfnodeclient", "system:node:n2", False, id="a node for another"),
        pytest.param("", "booter", False, id="anybody"),
    ],
)
async def test_kubelets_certificates_are_approved_for_whom_rbac_says(
    pki: Pki, part: str, user: str, approved: bool
) -> None:
    signer = signers.KUBELET_CLIENT
    async with world(pki) as api:
        own = rule("create", f"certificatesigningrequests/{part}", ("certificates.k8s.io",))
        await api.grant(user, CREATE, *([own] if part else []))
        body = request("system:node:n1", "system:nodes", signer, usages=list(NODE_USAGES))
        await api.must("POST", PATH, body, user=User(user))
        status = await api.settled()
    assert ("certificate" in status) is approved


async def test_a_signer_that_may_not_sign_it_says_so_in_a_condition(pki: Pki) -> None:
    async with world(pki) as api:
        body = request(signer=signers.KUBELET_SERVING, usages=["server auth"])
        await api.must("POST", PATH, body)
        await api.decide("Approved")
        (_, failed) = (await api.settled())["conditions"]
    assert failed["type"] == "Failed"
    assert failed["reason"] == "SignerValidationFailure"


async def test_requests_of_other_signers_are_left_alone_and_old_ones_removed(pki: Pki) -> None:
    async with world(pki) as api:
        await api.must("POST", PATH, request(signer="example.com/mine"))
        await api.decide("Approved")
        assert "certificate" not in await api.settled()
        await api.must("POST", PATH, {**request(), "metadata": {"name": "waits"}})
        await api.clock.sleep(PENDING_S + 4_000)
        left = [item["metadata"]["name"] for item in (await api.must("GET", PATH))["items"]]
    assert left == ["r"]  # approved, and its signer may yet come


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["client auth", "client auth"]}, "Duplicate value"),
        ({"usages": ["x"]}, "Unsupported value"),
        ({"signerName": "plain"}, "fully qualified domain and path"),
        ({"signerName": signers.LEGACY}, "not allowed via this API version"),
        ({"expirationSeconds": 599}, "less than 600 seconds"),
        ({"request": "bm90aGluZw=="}, "unable to parse csr"),
        ({"request": base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----" * 4_000).decode()},
         "unable to parse csr"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_cannot_be_asked_is_named(pki: Pki, spec: Json, said: str) -> None:
    async with world(pki) as api:
        status, answer = await api.do("POST", PATH, request(**spec))
    assert status == 422
    assert said in answer["message"]


ASKED = Requested("system:node:n1", ("system:nodes",), (), (), (), (), frozenset(NODE_USAGES))


def asked(**changes: Any) -> Requested:
    return replace(ASKED, **changes)


SERVING = frozenset({"server auth", "digital signature", "key encipherment"})


@pytest.mark.parametrize(
    ("signer", "of", "why"),
    [
        (signers.KUBELET_CLIENT, asked(), ""),
        (signers.KUBELET_CLIENT, asked(usages=ASKED.usages | {"key encipherment"}), ""),
        (signers.KUBELET_CLIENT, asked(organizations=("system:nodes", "x")), "organization"),
        (signers.KUBELET_CLIENT, asked(name="n1"), "common name"),
        (signers.KUBELET_CLIENT, asked(dns=("a",)), "DNS subjectAltNames"),
        (signers.KUBELET_CLIENT, asked(ips=("10.0.0.1",)), "IP subjectAltNames"),
        (signers.KUBELET_CLIENT, asked(emails=("a@b",)), "Email subjectAltNames"),
        (signers.KUBELET_CLIENT, asked(uris=("x:y",)), "URI subjectAltNames"),
        (signers.KUBELET_CLIENT, asked(usages=SERVING), "usages"),
        (signers.KUBELET_SERVING, asked(usages=SERVING), "subjectAltName is required"),
        (signers.KUBELET_SERVING, asked(usages=SERVING, dns=("n1",)), ""),
        (signers.KUBELET_SERVING, asked(dns=("n1",)), "usages"),
        (signers.CLIENT, asked(), ""),
        (signers.CLIENT, asked(usages=SERVING), "usages"),
        (signers.CLIENT, asked(usages=frozenset({"client auth", "cert sign"})), "usages"),
        (signers.LEGACY, asked(usages=SERVING), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_signer_has_its_rules(signer: str, of: Requested, why: str) -> None:
    said = signers.why_not(signer, of)
    assert why in said
    assert bool(why) == bool(said)


@pytest.mark.parametrize(
    ("status", "age_s", "ends", "old"),
    [
        pytest.param({}, PENDING_S - 1, None, False, id="pending"),
        pytest.param({}, PENDING_S + 1, None, True, id="pending for a day"),
        pytest.param({"Denied": ""}, DECIDED_S + 1, None, True, id="denied an hour ago"),
        pytest.param({"Denied": ""}, DECIDED_S - 1, None, False, id="denied"),
        pytest.param({"Approved": ""}, DECIDED_S + 1, None, False, id="approved, not signed"),
        pytest.param({"Approved": "x"}, DECIDED_S + 1, None, True, id="signed an hour ago"),
        pytest.param({"Approved": "x"}, 10, 9.0, True, id="its certificate has ended"),
    ],
)
def test_requests_are_removed_at_upstreams_ages(
    status: dict[str, str], age_s: float, ends: float | None, old: bool
) -> None:
    moment = "1970-01-01T00:00:00Z"
    csr: Json = {"metadata": {"creationTimestamp": moment}, "status": {}}
    csr["status"]["conditions"] = [{"type": k, "lastUpdateTime": moment} for k in status]
    if any(status.values()):
        csr["status"]["certificate"] = "x"
    assert is_old(csr, age_s, ends) is old
