"""The `captioning` command, one module for each group of subcommands."""
