"""Commands that print the ratios quoted in the documentation."""
