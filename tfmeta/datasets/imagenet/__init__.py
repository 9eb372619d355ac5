"""Parts of ImageNet: miniImageNet and tieredImageNet."""
