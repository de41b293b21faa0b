"""Wires the worker's parts by hand."""
