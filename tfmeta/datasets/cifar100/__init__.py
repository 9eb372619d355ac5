"""CIFAR-FS and FC100: two splits of CIFAR-100's 100 classes."""
