"""Tars in gzip files, read from the middle."""
