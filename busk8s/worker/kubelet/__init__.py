"""Makes a node's pods real and reports what is."""
