"""Settings of each component, validated once where they enter."""
