"""`exec`, `attach` and `portforward`: what clients speak, joined with streams of the bus."""
