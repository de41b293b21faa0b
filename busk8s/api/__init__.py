"""The Kubernetes API as values: types, selection, patching, validation, documents. Pure."""
