"""kube-proxy: Services made reachable."""
