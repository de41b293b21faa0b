"""Who asks: one module for each way to prove it."""
