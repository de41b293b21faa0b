"""Custom resources in versions that a webhook converts."""
