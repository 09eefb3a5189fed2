"""Where a dataset's files come from: URLs, local folders and zip archives."""
