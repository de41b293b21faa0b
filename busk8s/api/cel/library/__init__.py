"""The functions of expressions: the language's own and Kubernetes'."""
