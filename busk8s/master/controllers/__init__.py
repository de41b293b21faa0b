"""One module a controller; one loop for all."""
