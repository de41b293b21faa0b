"""What a kubelet answers to readers: health, pods, statistics, metrics, logs."""
