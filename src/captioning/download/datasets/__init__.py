"""The datasets, one module each; `registry` chooses."""
