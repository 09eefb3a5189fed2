"""Stage `features`: a feature map of every image, computed on this machine or on a cluster."""
