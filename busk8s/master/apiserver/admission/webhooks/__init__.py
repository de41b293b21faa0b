"""Admission by HTTPS servers that users name: mutating and validating webhooks."""
