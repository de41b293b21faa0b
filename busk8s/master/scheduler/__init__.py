"""Chooses a node for each pod, by plug-ins."""
