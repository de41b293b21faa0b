"""What the API server itself does to each kind on its way in: pure functions over dicts."""
