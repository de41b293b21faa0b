"""Kubernetes over a message bus."""
