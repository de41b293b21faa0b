"""The scheduler's plug-ins, each small."""
