"""kubelet and kube-proxy."""
