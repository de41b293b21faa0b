"""ZeroMQ sockets, sessions, the clone pattern. The only package that imports zmq."""
