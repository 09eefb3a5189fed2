"""Fetching many pictures from URLs that nobody answers for."""
