"""Where acknowledged state lives, and its history."""
