"""The typed schema of params.yaml. It can refuse a file, never change what the file says."""
