"""The built-in kinds of the Kubernetes API, one module a group version.

Owns      the generated models (tools/generate_types.py) and `definitions.json`, both without prose.
Leaves    which resource has which kind (api.scheme), shape questions (api.structure).
Invariant nothing here is edited by hand save this file and `markers.py`.
"""
