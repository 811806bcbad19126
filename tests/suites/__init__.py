"""Suites that are run by name; see the Makefile."""
