"""One client interface, over the bus, over HTTPS, or direct."""
