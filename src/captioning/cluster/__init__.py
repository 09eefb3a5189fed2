"""Several machines: Ray, object stores, and settings from environment variables."""
