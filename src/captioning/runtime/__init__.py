"""The machine: devices, environment variables, scratch folders, clusters, object stores, output."""
