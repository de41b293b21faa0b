"""Defaults by family of kinds; `busk8s.api.defaults` applies them."""
