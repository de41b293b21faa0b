"""Runtimes behind one interface shaped like CRI."""
