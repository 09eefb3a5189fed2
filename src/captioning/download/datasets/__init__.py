"""The datasets, one module or package each; `registry` creates the one that is chosen."""
