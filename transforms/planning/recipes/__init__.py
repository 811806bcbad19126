"""Subsets by recipe: which images are drawn, and how lists and classes are cut down."""
