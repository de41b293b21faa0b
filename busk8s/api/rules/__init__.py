"""Validation rules by family of kinds; `busk8s.api.validation` applies them."""
