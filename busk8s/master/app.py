"""Wires the master's parts by hand."""
