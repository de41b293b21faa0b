"""The resources that the kubelet reads and writes."""

from __future__ import annotations

from busk8s.api.scheme import Resource

PODS = Resource("", "v1", "pods", "Pod", True)
NODES = Resource("", "v1", "nodes", "Node", False)
EVENTS = Resource("", "v1", "events", "Event", True)
