"""The only process that touches the store."""
