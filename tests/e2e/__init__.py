"""End to end: real processes."""
