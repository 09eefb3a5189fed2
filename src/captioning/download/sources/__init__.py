"""Access to a dataset's files: URLs, local folders and zip archives."""
