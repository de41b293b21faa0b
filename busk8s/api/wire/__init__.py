"""Built-in kinds as protobuf messages."""
