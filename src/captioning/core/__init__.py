"""Errors, files and splits: what every other room stands on."""
