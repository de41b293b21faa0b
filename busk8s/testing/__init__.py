"""What users and our own tests build clusters with."""
