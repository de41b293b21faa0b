"""Rules of pods, clause by clause: what is said of a field, where, on create, update, status."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from rule_cases import created, lines, status_updated, stored, updated

from busk8s.api.scheme import DEPLOYMENTS, PODS
from busk8s.api.validation import validate_update

Json = dict[str, Any]

BASE: Json = {"serviceAccountName": "default"}


def pod(container: Json | None = None, **spec: Any) -> Json:
    containers = [{"name": "c", "image": "i", **(container or {})}]
    return {"spec": {**BASE, "containers": containers, **spec}}


def volume(**source: Any) -> Json:
    return {"volumes": [{"name": "v", **source}]}


C = "spec.containers[0]"
V = "spec.volumes[0]"
CLAIMED = volume(persistentVolumeClaim={"claimName": "x"})
SECURITY = "spec.securityContext"

CONTAINERS: dict[str, tuple[Json, Json, list[str]]] = {
    "plain": ({}, {}, []),
    "image": (
        {"image": " i"}, {},
        [f"{C}.image: invalid: must not have leading or trailing whitespace"],
    ),
    "message policy": (
        {"terminationMessagePolicy": "x"}, {},
        [
            f'{C}.terminationMessagePolicy: unsupported: "x": supported values: "File", '
            '"FallbackToLogsOnError"'
        ],
    ),
    "port twice": (
        {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]}, {},
        [f'{C}.ports[1].hostPort: duplicate: "TCP//5"'],
    ),
    "port of the host": (
        {"ports": [{"containerPort": 1, "hostPort": 5}]}, {"hostNetwork": True},
        [f"{C}.ports[0].hostPort: invalid: must match `containerPort` when `hostNetwork` is true"],
    ),
    "variable of nothing": (
        {"env": [{"name": "a", "valueFrom": {}}]}, {},
        [
            f"{C}.env[0].valueFrom: invalid: must specify one of: `fieldRef`, `resourceFieldRef`, "
            "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        ],
    ),
    "variable of a file in no volume": (
        {"env": [{"name": "a", "valueFrom": {"fileKeyRef": {
            "key": "k", "path": "../p", "volumeName": "v"}}}]},
        {},
        [
            f'{C}.env[0].valueFrom.fileKeyRef.volumeName: not found: "v"',
            f"{C}.env[0].valueFrom.fileKeyRef.path: invalid: must not contain '..'",
        ],
    ),
    "variable of a file in a secret": (
        {"env": [{"name": "a", "valueFrom": {"fileKeyRef": {
            "key": "k", "path": "p", "volumeName": "v"}}}]},
        volume(secret={"secretName": "s"}),
        [
            f"{C}.env[0].valueFrom.fileKeyRef.volumeName: invalid: referenced volume must be of "
            "type emptyDir"
        ],
    ),
    "field of no pod": (
        {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]}, {},
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: unsupported: "status.phase": supported '
            'values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", '
            '"spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", '
            '"status.podIPs"'
        ],
    ),
    "divisor of cpu": (
        {"env": [{"name": "a", "valueFrom": {"resourceFieldRef": {
            "resource": "limits.cpu", "divisor": "1Ki"}}}]},
        {},
        [
            f"{C}.env[0].valueFrom.resourceFieldRef.divisor: invalid: only divisor's values 1m "
            "and 1 are supported with the cpu resource"
        ],
    ),
    "source of nothing": (
        {"envFrom": [{}]}, {},
        [f"{C}.envFrom: invalid: must specify one of: `configMapRef` or `secretRef`"],
    ),
    "mount and device of one name": (
        {
            "volumeMounts": [{"name": "v", "mountPath": "/d"}],
            "volumeDevices": [{"name": "v", "devicePath": "/d"}],
        },
        CLAIMED,
        [
            f"{C}.volumeMounts[0].name: invalid: must not already exist in volumeDevices",
            f"{C}.volumeMounts[0].mountPath: invalid: must not already exist as a path in "
            "volumeDevices",
            f"{C}.volumeDevices[0].name: invalid: must not already exist in volumeMounts",
            f"{C}.volumeDevices[0].devicePath: invalid: must not already exist as a path in "
            "volumeMounts",
        ],
    ),
    "device path": (
        {"volumeDevices": [{"name": "v", "devicePath": "/a/../d"}]}, CLAIMED,
        [f"{C}.volumeDevices[0].devicePath: invalid: can not contain backsteps ('..')"],
    ),
    "propagation": (
        {"volumeMounts": [{"name": "v", "mountPath": "/d", "mountPropagation": "Bidirectional"}]},
        volume(emptyDir={}),
        [
            f"{C}.volumeMounts.mountPropagation: forbidden: Bidirectional mount propagation is "
            "available only to privileged containers"
        ],
    ),
    "recursively read-only": (
        {"volumeMounts": [{"name": "v", "mountPath": "/d", "recursiveReadOnly": "Enabled"}]},
        volume(emptyDir={}),
        [
            f"{C}.volumeMounts.recursiveReadOnly: forbidden: may only be specified when readOnly "
            "is true"
        ],
    ),
    "probe": (
        {"livenessProbe": {"httpGet": {"port": 0, "scheme": "x"}, "successThreshold": 2}}, {},
        [
            f"{C}.livenessProbe.httpGet.port: invalid: must be between 1 and 65535, inclusive",
            f'{C}.livenessProbe.httpGet.scheme: unsupported: "x": supported values: "HTTP", '
            '"HTTPS"',
            f"{C}.livenessProbe.successThreshold: invalid: must be 1",
        ],
    ),
    "a probe that sleeps": (
        {"readinessProbe": {"sleep": {"seconds": 1}}}, {},
        [f"{C}.readinessProbe: required: must specify a handler type"],
    ),
    "a hook longer than the grace period": (
        {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, {},
        [
            f"{C}.lifecycle.preStop.sleep: invalid: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    "stop signal without a system": (
        {"lifecycle": {"stopSignal": "SIGINT"}}, {},
        [
            f"{C}.lifecycle.stopSignal: forbidden: may not be set for containers with empty "
            "`spec.os.name`"
        ],
    ),
    "stop signal": (
        {"lifecycle": {"stopSignal": "SIGINT"}}, {"os": {"name": "windows"}},
        [
            f'{C}.lifecycle.stopSignal: unsupported: "SIGINT": supported values: "SIGKILL", '
            '"SIGTERM"'
        ],
    ),
    "restart rules": (
        {"restartPolicyRules": [{"action": "Sing"}]}, {},
        [
            f"{C}.restartPolicy: required: must specify restartPolicy when restart rules are used",
            f'{C}.restartPolicyRules[0].action: unsupported: "Sing": supported values: '
            '"Restart", "RestartAllContainers"',
            f"{C}.restartPolicyRules[0].exitCodes: required: must be specified",
        ],
    ),
    "resource names": (
        {
            "resources": {
                "requests": {"pods": "1", "requests.x/y": "1"}, "limits": {"requests.x/y": "1"},
            }
        },
        {},
        [
            f"{C}.resources.limits[requests.x/y]: invalid: doesn't follow extended resource name "
            "standard",
            f"{C}.resources.requests[pods]: invalid: must be a standard resource for containers",
            f"{C}.resources.requests[requests.x/y]: invalid: doesn't follow extended resource "
            "name standard",
        ],
    ),
    "huge pages alone": (
        {"resources": {"limits": {"hugepages-2Mi": "3Mi"}}}, {},
        [
            f"{C}.resources.limits[hugepages-2Mi]: invalid: 3Mi is not positive integer multiple "
            "of hugepages-2Mi",
            f"{C}.resources.requests[hugepages-2Mi]: invalid: 3Mi is not positive integer "
            "multiple of hugepages-2Mi",
            f"{C}.resources: forbidden: HugePages require cpu or memory",
        ],
    ),
    "claims": (
        {"resources": {"claims": [{"name": "a"}, {"name": "a", "request": "r"}, {"name": "z"}]}},
        {"resourceClaims": [{"name": "a", "resourceClaimName": "x"}]},
        [
            f'{C}.resources.claims[1]: duplicate: "a"',
            f'{C}.resources.claims[2]: not found: "z": must be one of the names in '
            "pod.spec.resourceClaims: a",
        ],
    ),
    "unmasked proc": (
        {"securityContext": {"procMount": "Unmasked"}}, {},
        [
            f"{C}.securityContext.procMount: invalid: `hostUsers` must be false to use `Unmasked`"
        ],
    ),
    "profiles": (
        {"securityContext": {
            "seccompProfile": {"type": "Localhost"},
            "appArmorProfile": {"type": "Unconfined", "localhostProfile": "x"},
        }},
        {},
        [
            f"{C}.securityContext.seccompProfile.localhostProfile: required: must be set when "
            "seccomp type is Localhost",
            f"{C}.securityContext.appArmorProfile.localhostProfile: invalid: can only be set when "
            "AppArmor type is Localhost",
        ],
    ),
    "windows user": (
        {"securityContext": {"windowsOptions": {"runAsUserName": "a\\b\\c"}}}, {},
        [
            f"{C}.securityContext.windowsOptions.runAsUserName: invalid: runAsUserName cannot "
            "contain more than one backslash"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("container", "spec", "want"), CONTAINERS.values(), ids=CONTAINERS)
def test_containers(container: Json, spec: Json, want: list[str]) -> None:
    assert created(PODS, pod(container, **spec)) == want


INIT: Json = {"name": "i", "image": "i"}
SPECS: dict[str, tuple[Json, list[str]]] = {
    "an init container with a probe": (
        {"initContainers": [{**INIT, "livenessProbe": {"exec": {"command": ["a"]}}}]},
        [
            "spec.initContainers[0].livenessProbe: forbidden: may not be set for init containers "
            "without restartPolicy=Always"
        ],
    ),
    "init containers share a port, one after the other": (
        {"initContainers": [
            {**INIT, "ports": [{"containerPort": 1, "hostPort": 5}]},
            {**INIT, "name": "j", "ports": [{"containerPort": 1, "hostPort": 5}]},
        ]},
        [],
    ),
    "an init container restarted to resize": (
        {"initContainers": [{**INIT, "resizePolicy": [
            {"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}]},
        [
            "spec.initContainers[0].resizePolicy[0].restartPolicy: invalid: must not be set to "
            "'RestartContainer' for non-sidecar initContainers"
        ],
    ),
    "claims of resources": (
        {"resourceClaims": [
            {"name": "a"},
            {"name": "a", "resourceClaimName": "x", "resourceClaimTemplateName": "y"},
        ]},
        [
            "spec.resourceClaims[0]: invalid: must specify one of: `resourceClaimName`, "
            "`resourceClaimTemplateName`",
            'spec.resourceClaims[1].name: duplicate: "a"',
            "spec.resourceClaims[1]: invalid: at most one of `resourceClaimName` or "
            "`resourceClaimTemplateName` may be specified",
        ],
    ),
    "resources of the pod": (
        {
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
            "containers": [{"name": "c", "image": "i", "resources": {
                "requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}],
        },
        [
            "spec.resources.requests[cpu]: invalid: must be greater than or equal to aggregate "
            "container requests of 2",
            "spec.resources.containers[0][cpu].limits: invalid: must be less than or equal to pod "
            "limits of 1",
        ],
    ),
    "resources no pod has": (
        {"resources": {"limits": {"ephemeral-storage": "1"}, "claims": []}},
        [
            "spec.resources.claims: forbidden: claims may not be set for Resources at pod-level",
            'spec.resources.limits[ephemeral-storage]: unsupported: "ephemeral-storage": '
            'supported values: "cpu", "memory"',
            'spec.resources.requests[ephemeral-storage]: unsupported: "ephemeral-storage": '
            'supported values: "cpu", "memory"',
        ],
    ),
    "groups and policies": (
        {"securityContext": {
            "supplementalGroups": [-1], "supplementalGroupsPolicy": "x", "seLinuxChangePolicy": "x",
        }},
        [
            f"{SECURITY}.supplementalGroups[0]: invalid: must be between 0 and 2147483647, "
            "inclusive",
            f'{SECURITY}.supplementalGroupsPolicy: unsupported: "x": supported values: "Merge", '
            '"Strict"',
            f'{SECURITY}.seLinuxChangePolicy: unsupported: "x": supported values: "MountOption", '
            '"Recursive"',
        ],
    ),
    "a sysctl of the host": (
        {
            "hostNetwork": True,
            "securityContext": {"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]},
        },
        [
            f"{SECURITY}.sysctls[0].name: invalid: may not be specified when 'hostNetwork' is true"
        ],
    ),
    "processes shared twice": (
        {"shareProcessNamespace": True, "hostPID": True},
        [
            f"{SECURITY}.shareProcessNamespace: invalid: ShareProcessNamespace and HostPID cannot "
            "both be enabled"
        ],
    ),
    "users of its own": (
        {"hostUsers": False, "hostNetwork": True, "hostPID": True},
        [
            "spec.hostNetwork: forbidden: when `hostUsers` is false",
            "spec.HostPID: forbidden: when `hostUsers` is false",
        ],
    ),
    "dns": (
        {"dnsPolicy": "None"},
        ["spec.dnsConfig: required: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "searches": (
        {"dnsConfig": {"nameservers": ["010.0.0.1"], "searches": [".", "_tcp.x", "-a"]}},
        [
            "spec.dnsConfig.nameservers[0]: invalid: must not have leading 0s",
            "spec.dnsConfig.searches[2]: invalid: a lowercase RFC 1123 subdomain must consist of "
            "lower case alphanumeric characters, '_', '-' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'example.com', regex used for validation is "
            r"'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
        ],
    ),
    "a host name of another network": (
        {"hostnameOverride": "a.b", "hostNetwork": True, "setHostnameAsFQDN": True},
        [
            "spec.hostnameOverride: forbidden: may not be specified when setHostnameAsFQDN is true",
            "spec.hostnameOverride: forbidden: may not be specified when hostNetwork is true",
        ],
    ),
    "an alias": (
        {"hostAliases": [{"ip": "::ffff:1.2.3.4"}]},
        ["spec.hostAliases[0].ip: invalid: must not be an IPv4-mapped IPv6 address"],
    ),
    "overhead": (
        {"overhead": {"cpu": "-1"}},
        ["spec.overhead.limits[cpu]: invalid: must be greater than or equal to 0"],
    ),
    "a system": (
        {"os": {"name": "plan9"}},
        ['spec.os: unsupported: "plan9": supported values: "linux", "windows"'],
    ),
    "a pod for windows": (
        {"os": {"name": "windows"}, "hostPID": True, "securityContext": {"runAsUser": 1}},
        [
            "spec.hostPID: forbidden: cannot be set for a windows pod",
            f"{SECURITY}.runAsUser: forbidden: cannot be set for a windows pod",
        ],
    ),
    "a process of the host": (
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
        [
            "spec.hostNetwork: invalid: hostNetwork must be true if pod contains any hostProcess "
            "containers"
        ],
    ),
    "keys of labels": (
        {"topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
            "matchLabelKeys": ["a"],
        }]},
        [
            "spec.topologySpreadConstraints[0].matchLabelKeys: forbidden: must not be specified "
            "when labelSelector is not set"
        ],
    ),
    "a token without an account": (
        {
            "serviceAccountName": "",
            **volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
        },
        [
            f"{V}.projected.sources[0].serviceAccountToken: forbidden: must not be specified when "
            "serviceAccountName is not set"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "want"), SPECS.values(), ids=SPECS)
def test_specs(spec: Json, want: list[str]) -> None:
    assert created(PODS, pod(**spec)) == want


CLAIM_SPEC: Json = {
    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
}  # fmt: skip
VOLUMES: dict[str, tuple[Json, list[str]]] = {
    "two sources": (
        {"emptyDir": {}, "secret": {"secretName": "s"}},
        [f"{V}.secret: forbidden: may not specify more than 1 volume type"],
    ),
    "paths that collide": (
        {"projected": {"sources": [
            {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}},
            {"configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}},
        ]}},
        [f"{V}.projected: invalid: conflicting duplicate paths"],
    ),
    "a token that leaves its volume": (
        {"projected": {"sources": [{"serviceAccountToken": {"path": "../t"}}]}},
        [f"{V}.projected.path: invalid: must not contain '..'"],
    ),
    "a trust bundle": (
        {"projected": {"sources": [{"clusterTrustBundle": {
            "name": "a", "signerName": "b.c/d", "path": "p"}}]}},
        [
            f"{V}.projected.sources[0].clusterTrustBundle: invalid: only one of name and "
            "signerName may be used"
        ],
    ),
    "a trust bundle of a signer's": (
        {"projected": {"sources": [{"clusterTrustBundle": {"signerName": "b", "path": "p"}}]}},
        [
            f"{V}.projected.sources[0].clusterTrustBundle.signerName: invalid: must be a fully "
            "qualified domain and path of the form 'example.com/signer-name'"
        ],
    ),
    "a certificate": (
        {"projected": {"sources": [{"podCertificate": {
            "signerName": "a.b/c", "keyType": "DSA", "maxExpirationSeconds": 60}}]}},
        [
            f'{V}.projected.sources[0].podCertificate.keyType: unsupported: "DSA": supported '
            'values: "RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"',
            f"{V}.projected.sources[0].podCertificate.maxExpirationSeconds: invalid: if provided, "
            "maxExpirationSeconds must be >= 3600",
            f"{V}.projected.sources[0].podCertificate: required: specify at least one of "
            "credentialBundlePath, keyPath, and certificateChainPath",
        ],
    ),
    "a claim made for the pod": (
        {"ephemeral": {"volumeClaimTemplate": {
            "metadata": {"name": "n"}, "spec": CLAIM_SPEC}}},
        [f"{V}.ephemeral.volumeClaimTemplate.metadata.name: forbidden: cannot be set"],
    ),
    "an image": ({"image": {}}, [f"{V}.image.reference: required"]),
    "iscsi": (
        {"iscsi": {"targetPortal": "t", "iqn": "x", "lun": 256}},
        [
            f"{V}.iscsi.iqn: invalid: must be valid format starting with iqn, eui, or naa",
            f"{V}.iscsi.lun: invalid: must be between 0 and 255, inclusive",
        ],
    ),
    "fc": (
        {"fc": {"targetWWNs": ["a"], "wwids": ["b"]}},
        [
            f"{V}.fc.targetWWNs: invalid: targetWWNs and wwids can not be specified "
            "simultaneously",
            f"{V}.fc.lun: required: lun is required if targetWWNs is specified",
        ],
    ),
    "azure": (
        {"azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Dedicated", "cachingMode": "x"}},
        [
            f'{V}.azureDisk.cachingMode: unsupported: "x": supported values: "None", '
            '"ReadOnly", "ReadWrite"',
            f'{V}.azureDisk.diskURI: unsupported: "x": supported values: "https://{{account-name}}'
            '.blob.core.windows.net/{container-name}/{disk-name}.vhd"',
        ],
    ),
    "flex": (
        {"flexVolume": {"driver": "d", "options": {"k8s.io/x": "y"}}},
        [
            f"{V}.flexVolume.options[k8s.io/x]: invalid: kubernetes.io and k8s.io namespaces are "
            "reserved"
        ],
    ),
    "git": (
        {"gitRepo": {"repository": "r", "directory": "/d"}},
        [f"{V}.gitRepo.directory: invalid: must be a relative path"],
    ),
    "nfs": (
        {"nfs": {"server": "s", "path": "p"}},
        [f"{V}.nfs.path: invalid: must be an absolute path"],
    ),
    "csi": (
        {"csi": {"driver": "d" * 64, "nodePublishSecretRef": {}}},
        [
            f"{V}.csi.driver: too long: may not be more than 63 bytes",
            f"{V}.csi.nodePublishSecretRef.name: required",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "want"), VOLUMES.values(), ids=VOLUMES)
def test_volumes(source: Json, want: list[str]) -> None:
    assert created(PODS, pod(**volume(**source))) == want


ANNOTATIONS = {
    "deletion cost": (
        {"controller.kubernetes.io/pod-deletion-cost": "01"},
        "[controller.kubernetes.io/pod-deletion-cost]: invalid: must be a 32bit integer",
    ),
    "mirror": (
        {"kubernetes.io/config.mirror": "x"},
        "[kubernetes.io/config.mirror]: invalid: must set spec.nodeName if mirror pod annotation "
        "is set",
    ),
    "seccomp": (
        {"seccomp.security.alpha.kubernetes.io/pod": "x"},
        ".seccomp.security.alpha.kubernetes.io/pod: invalid: must be a valid seccomp profile",
    ),
    "apparmor": (
        {"container.apparmor.security.beta.kubernetes.io/d": "unconfined"},
        "[container.apparmor.security.beta.kubernetes.io/d]: invalid: container not found",
    ),
}


@pytest.mark.parametrize(("annotations", "want"), ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_annotations(annotations: Json, want: str) -> None:
    assert created(PODS, pod(), annotations=annotations) == [f"metadata.annotations{want}"]


def test_templates_leave_some_things_to_their_pods() -> None:
    """Ports of the host, images with spaces around, volumes of no image."""
    ports = [{"containerPort": 80}]
    spec = pod({"image": " ", "ports": ports}, hostNetwork=True, **volume(image={}))["spec"]
    labels = {"a": "b"}
    deployment = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec},
    }
    assert created(DEPLOYMENTS, {"spec": deployment}) == []
    made = stored(DEPLOYMENTS, {"spec": deployment})["spec"]["template"]["spec"]
    assert "hostPort" not in made["containers"][0]["ports"][0]
    assert stored(PODS, {"spec": spec})["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


# What older servers let pass may stay; nobody may add it.

BAD_SELECTOR = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["-x"]}]}
RATCHETS: dict[str, Json] = {
    "a label value in an affinity": {
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "z", "labelSelector": BAD_SELECTOR}]}}
    },
    "a label value in a node affinity": {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [BAD_SELECTOR]}}}
    },
    "a selector of a spread constraint": {
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": BAD_SELECTOR}]
    },
    "keys of a spread constraint": {
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
            "matchLabelKeys": ["a"]}]
    },
    "a path of a token": volume(projected={"sources": [{"serviceAccountToken": {"path": "../t"}}]}),
    "huge pages": {"containers": [{"name": "c", "image": "i", "resources": {
        "limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}}]},
    "a sysctl of the host": {
        "hostIPC": True, "securityContext": {"sysctls": [{"name": "kernel.sem", "value": "1"}]},
    },
    "an init container": {"initContainers": [{**INIT, "resizePolicy": [
        {"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}]},
}  # fmt: skip


@pytest.mark.parametrize("spec", RATCHETS.values(), ids=RATCHETS)
def test_a_stored_pod_keeps_what_it_has(spec: Json) -> None:
    old = pod(**spec)
    new = copy.deepcopy(old)
    new["spec"]["activeDeadlineSeconds"] = 5
    assert created(PODS, old)
    assert updated(PODS, old, new) == []
    assert updated(PODS, pod(), new) != []


def test_a_stored_deletion_cost_stays() -> None:
    old = stored(PODS, pod(), annotations={"controller.kubernetes.io/pod-deletion-cost": "x"})
    new = copy.deepcopy(old)
    new["metadata"]["annotations"]["other"] = "y"
    assert lines(validate_update(PODS, new, old)) == []


GATED = pod(schedulingGates=[{"name": "g"}])
TERMS = [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]


def placed(terms: list[Json], **spec: Any) -> Json:
    needed = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return pod(schedulingGates=[{"name": "g"}], affinity={"nodeAffinity": needed}, **spec)


NARROWED = [{"matchExpressions": [*TERMS[0]["matchExpressions"], {
    "key": "b", "operator": "Exists"}]}]  # fmt: skip
TERM_PATH = (
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
)


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(GATED, pod(), [], id="gates open"),
        pytest.param(GATED, placed(TERMS), [], id="a gated pod is placed"),
        pytest.param(placed(TERMS), placed(NARROWED), [], id="and placed more narrowly"),
        pytest.param(
            placed(NARROWED),
            placed(TERMS),
            [f"{TERM_PATH}[0]: invalid: only additions are allowed (no mutations or deletions)"],
            id="but not more widely",
        ),
        pytest.param(
            placed(TERMS),
            placed([*TERMS, *TERMS]),
            [
                f"{TERM_PATH}: invalid: no additions/deletions to non-empty NodeSelectorTerms list "
                "are allowed"
            ],
            id="nor elsewhere",
        ),
        pytest.param(
            pod(activeDeadlineSeconds=5),
            pod(activeDeadlineSeconds=6),
            ["spec.activeDeadlineSeconds: invalid: must be less than or equal to previous value"],
            id="a deadline is not put off",
        ),
    ],
)
def test_updates(old: Json, new: Json, want: list[str]) -> None:
    assert updated(PODS, old, new) == want


def ended(code: int, name: str = "c") -> Json:
    return {"containerStatuses": [{"name": name, "state": {"terminated": {"exitCode": code}}}]}


RUNS = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}
AGAIN = (
    "status.containerStatuses[0].state: forbidden: may not be transitioned to non-terminated state"
)
RULE = {
    "restartPolicy": "Never",
    "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [7]}}],
}


@pytest.mark.parametrize(
    ("spec", "old", "new", "want"),
    [
        pytest.param(pod(), ended(0), RUNS, [], id="restarted"),
        pytest.param(pod(restartPolicy="Never"), ended(0), RUNS, [AGAIN], id="never"),
        pytest.param(pod(restartPolicy="OnFailure"), ended(1), RUNS, [], id="on failure"),
        pytest.param(pod(restartPolicy="OnFailure"), ended(0), RUNS, [AGAIN], id="no failure"),
        pytest.param(pod(RULE), ended(7), RUNS, [], id="by its rule"),
        pytest.param(pod(RULE), ended(8), RUNS, [AGAIN], id="against its own policy"),
        pytest.param(
            pod(),
            {"qosClass": "BestEffort"},
            {"qosClass": "Burstable"},
            ["status.qosClass: invalid: field is immutable"],
            id="quality of service",
        ),
        pytest.param(
            pod(nodeName="n"),
            {},
            {"nominatedNodeName": "m"},
            [
                "status.nominatedNodeName: forbidden: may not be set on pods that are already "
                "bound to a node"
            ],
            id="nominated too late",
        ),
        pytest.param(
            pod(),
            {},
            {"hostIP": "1.2.3.4", "hostIPs": [{"ip": "1.2.3.5"}, {"ip": "1.2.3.6"}]},
            [
                "status.hostIPs[0].ip: invalid: must be equal to `hostIP`",
            ],
            id="addresses of the host",
        ),
        pytest.param(
            pod(),
            {},
            {"podIPs": [{"ip": "1.2.3.5"}, {"ip": "1.2.3.6"}]},
            ["status.podIPs: invalid: may specify no more than one IP for each IP family"],
            id="two addresses of a family",
        ),
        pytest.param(
            pod(),
            {"podIPs": [{"ip": "1.2.3.04"}]},
            {"podIPs": [{"ip": "1.2.3.04"}, {"ip": "x"}]},
            [
                "status.podIPs[1]: invalid: must be a valid IP address, (e.g. 10.9.8.7 or "
                "2001:db8::ffff)"
            ],
            id="an old address stays",
        ),
        pytest.param(
            pod(),
            {},
            {"conditions": [{"type": "a b", "observedGeneration": -1}]},
            ["status.conditions[0].observedGeneration: invalid: must be a non-negative integer"],
            id="a condition",
        ),
        pytest.param(
            pod(),
            {},
            {"resourceClaimStatuses": [{"name": "a"}]},
            [
                "status.resourceClaimStatuses[0].name: invalid: must match the name of an entry "
                "in `spec.resourceClaims`"
            ],
            id="a claim that is none",
        ),
    ],
)
def test_statuses(spec: Json, old: Json, new: Json, want: list[str]) -> None:
    found = status_updated(PODS, spec, old, new)
    assert [each for each in found if ".Type:" not in each] == want


SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/c"


@pytest.mark.parametrize(
    ("annotations", "context", "expected"),
    [
        ({SECCOMP: "docker/default"}, {"seccompProfile": {"type": "RuntimeDefault"}}, []),
        (
            {SECCOMP: "unconfined"}, {"seccompProfile": {"type": "RuntimeDefault"}},
            [
                f"{SECURITY}.seccompProfile.type: forbidden: seccomp type in annotation and field "
                "must match"
            ],
        ),
        (
            {APPARMOR: "localhost/a"},
            {"appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}},
            [
                f"{C}.securityContext.appArmorProfile.localhostProfile: forbidden: apparmor "
                "profile in annotation and field must match"
            ],
        ),
    ],
    ids=["same", "another type", "another profile"],
)  # fmt: skip
def test_annotations_say_what_fields_say(
    annotations: Json, context: Json, expected: list[str]
) -> None:
    assert created(PODS, pod(securityContext=context), annotations=annotations) == expected


def test_what_a_status_says_of_containers() -> None:
    body = pod({"resources": {"limits": {"a.b/c": "1"}}})
    health = [{"resourceID": "i", "health": "Good"}, {"resourceID": "i", "health": "Unknown"}]
    status = {
        "containerStatuses": [
            {
                "name": "c",
                "user": {"linux": {"uid": -1, "gid": 0}},
                "allocatedResourcesStatus": [{"name": "cpu", "resources": health}],
            }
        ],
        "extendedResourceClaimStatus": {
            "resourceClaimName": "x",
            "requestMappings": [
                {"containerName": "c", "resourceName": "a.b/c", "requestName": "r"},
                {"containerName": "d", "resourceName": "a.b/c", "requestName": "r"},
            ],
        },
    }
    at = "status.containerStatuses[0]"
    assert status_updated(PODS, body, {}, status) == [
        "status.extendedResourceClaimStatus.requestMappings[1].containerName: invalid: must match "
        "the name of an entry in spec.initContainers.name or spec.containers.name",
        f"{at}.user.linux.uid: invalid: must be between 0 and 2147483647, inclusive",
        f"{at}.allocatedResourcesStatus[0].name: invalid: must match one of the container's "
        "resource requests",
        f'{at}.allocatedResourcesStatus[0].resources[0].health: unsupported: "Good": supported '
        'values: "Healthy", "Unhealthy", "Unknown"',
        f'{at}.allocatedResourcesStatus[0].resources[1].resourceID: duplicate: "i"',
    ]
