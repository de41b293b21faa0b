"""Pod addresses, bridges and routes."""
