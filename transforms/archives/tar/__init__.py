"""Tars: where their members lie, read from headers alone, and how they end."""
