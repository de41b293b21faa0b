"""Generated models of the built-in kinds; see tools/."""
