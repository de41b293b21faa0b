"""Custom resources: what their schemas mean, and what a CustomResourceDefinition must be."""
