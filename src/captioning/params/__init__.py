"""The typed schema of params.yaml. It can refuse a file, but never change what the file says."""
