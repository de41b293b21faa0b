"""The audit log: who asked what, when, and how it ended."""
