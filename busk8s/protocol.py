"""The wire: version, limits, topics, messages, codec."""
