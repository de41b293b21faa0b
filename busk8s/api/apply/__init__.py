"""Server-side apply: who owns which field, and what applying a configuration does. Pure."""
