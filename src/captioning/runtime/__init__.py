"""The machine: scratch folders, environment variables, clusters, object stores, devices."""
