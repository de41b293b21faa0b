"""Quotas: what a namespace uses, what it may use, and telling both."""
