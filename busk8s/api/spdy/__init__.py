"""SPDY/3.1 without sockets: what clients of exec and its like speak after an upgrade."""
