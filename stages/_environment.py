"""Placeholder until set-up lands."""
