"""The checks of level baseline: nothing that is a known way to more privileges.

Source    Kubernetes documentation, "Pod Security Standards", Baseline. Reasons and details are
          worded as upstream words them: people and tools look for them.
"""

from __future__ import annotations

from typing import Any

from busk8s.master.apiserver.admission.pod_security.facts import (
    Json,
    containers,
    inside,
    many,
    names,
    quoted,
)

CAPABILITIES = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
SELINUX_TYPES = frozenset(
    ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
)
# Sysctl -> the minor version of Kubernetes from which on it is safe.
SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
Detail = str | None


def app_armor(pod: Json, minor: int) -> Detail:
    spec, found = pod["spec"], []
    if _unconfined(spec, "appArmorProfile"):
        found.append('pod must not set AppArmor profile type to "Unconfined"')
    bad = [c for c in containers(spec) if _unconfined(c, "appArmorProfile")]
    if bad:
        said = many("container", names(bad))
        found.append(f'{said} must not set AppArmor profile type to "Unconfined"')
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    wrong = [
        f'{key}="{value}"'
        for key, value in sorted(annotations.items())
        if key.startswith(APP_ARMOR)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    ]
    if wrong:
        word = "annotations" if len(wrong) > 1 else "annotation"
        found.append(f"{word} {', '.join(wrong)}")
    return "; ".join(found) or None


def _unconfined(holder: Json, profile: str) -> bool:
    return bool(inside(holder, profile, "type") == "Unconfined")


def capabilities(pod: Json, minor: int) -> Detail:
    return added(pod, CAPABILITIES)


def added(pod: Json, allowed: frozenset[str]) -> Detail:
    """Which containers add capabilities beyond `allowed`."""
    bad, extra = [], []
    for container in containers(pod["spec"]):
        more = [c for c in inside(container, "capabilities", "add") or () if c not in allowed]
        if more:
            bad.append(str(container.get("name")))
            extra += more
    if not bad:
        return None
    said = quoted(sorted(extra))
    return f"{many('container', bad)} must not include {said} in securityContext.capabilities.add"


def host_namespaces(pod: Json, minor: int) -> Detail:
    found = [f"{k}=true" for k in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(k)]
    return ", ".join(found) or None


def host_path(pod: Json, minor: int) -> Detail:
    found = [v for v in pod["spec"].get("volumes") or () if v.get("hostPath") is not None]
    return many("volume", names(found)) if found else None


def host_ports(pod: Json, minor: int) -> Detail:
    bad: list[str] = []
    ports: list[int] = []
    for container in containers(pod["spec"]):
        used = [p["hostPort"] for p in container.get("ports") or () if p.get("hostPort")]
        if used:
            bad.append(str(container.get("name")))
            ports += used
    if not bad:
        return None
    listed = sorted(dict.fromkeys(ports))
    verb = "use" if len(bad) > 1 else "uses"
    word = "hostPorts" if len(listed) > 1 else "hostPort"
    return f"{many('container', bad)} {verb} {word} {', '.join(map(str, listed))}"


def host_probes(pod: Json, minor: int) -> Detail:
    bad, hosts = [], []
    for container in containers(pod["spec"]):
        found = [host for handler in _handlers(container) if (host := _host(handler))]
        if found:
            bad.append(str(container.get("name")))
            hosts += found
    if not bad:
        return None
    verb = "use" if len(bad) > 1 else "uses"
    word = "hosts" if len(set(hosts)) > 1 else "host"
    return f"{many('container', bad)} {verb} probe or lifecycle {word} {quoted(hosts)}"


def _handlers(container: Json) -> list[Json]:
    lifecycle = container.get("lifecycle") or {}
    found = [container.get(name) for name in _PROBES]
    return [each for each in (*found, lifecycle.get("postStart"), lifecycle.get("preStop")) if each]


def _host(handler: Json) -> Any:
    for kind in ("httpGet", "tcpSocket"):
        if host := (handler.get(kind) or {}).get("host"):
            return host
    return ""


def host_process(pod: Json, minor: int) -> Detail:
    spec, found = pod["spec"], []
    setting = "securityContext.windowsOptions.hostProcess=true"
    bad = [c for c in containers(spec) if inside(c, "windowsOptions", "hostProcess")]
    if inside(spec, "windowsOptions", "hostProcess"):
        found.append("pod")
    if bad:
        found.append(many("container", names(bad)))
    return f"{' and '.join(found)} must not set {setting}" if found else None


def privileged(pod: Json, minor: int) -> Detail:
    bad = [c for c in containers(pod["spec"]) if inside(c, "privileged")]
    if not bad:
        return None
    return f"{many('container', names(bad))} must not set securityContext.privileged=true"


def proc_mount(pod: Json, minor: int) -> Detail:
    bad = [c for c in containers(pod["spec"]) if inside(c, "procMount") not in (None, "Default")]
    if not bad or (minor >= 35 and pod["spec"].get("hostUsers") is False):
        return None
    kinds = quoted(str(inside(c, "procMount")) for c in bad)
    return f"{many('container', names(bad))} must not set securityContext.procMount to {kinds}"


def seccomp(pod: Json, minor: int) -> Detail:
    spec, found = pod["spec"], []
    if _unconfined(spec, "seccompProfile"):
        found.append("pod")
    bad = [c for c in containers(spec) if _unconfined(c, "seccompProfile")]
    if bad:
        found.append(many("container", names(bad)))
    if not found:
        return None
    return f'{" and ".join(found)} must not set securityContext.seccompProfile.type to "Unconfined"'


def selinux(pod: Json, minor: int) -> Detail:
    spec = pod["spec"]
    holders, types = [], []
    user = role = False
    for name, holder in [("pod", spec), *((c.get("name"), c) for c in containers(spec))]:
        options = inside(holder, "seLinuxOptions") or {}
        wrong = [options["type"]] if options.get("type", "") not in SELINUX_TYPES else []
        user, role = user or bool(options.get("user")), role or bool(options.get("role"))
        if wrong or options.get("user") or options.get("role"):
            holders.append("pod" if holder is spec else f'container "{name}"')
        types += wrong
    if not holders:
        return None
    said = []
    if types:
        said.append(f"type{'s' if len(set(types)) > 1 else ''} {quoted(types)}")
    said += [f"{what} may not be set" for what, set_ in (("user", user), ("role", role)) if set_]
    who = " and ".join(holders)
    return f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"


def sysctls(pod: Json, minor: int) -> Detail:
    given = [str(each.get("name")) for each in inside(pod["spec"], "sysctls") or ()]
    bad = [name for name in given if SYSCTLS.get(name, minor + 1) > minor]
    return ", ".join(bad) or None
