"""Stage `features`: feature maps of every image, on this machine or on a cluster."""
