"""kube-apiserver, kube-controller-manager, kube-scheduler."""
