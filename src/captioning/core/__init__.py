"""Errors, file writing, checksums and shard names: used by every other room."""
