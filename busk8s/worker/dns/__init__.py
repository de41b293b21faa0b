"""Cluster DNS from the net view."""
