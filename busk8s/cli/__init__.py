"""The busk8s command."""
