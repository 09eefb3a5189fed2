"""Comparing revisions with p-values, and holding one against limits."""
