"""What tests share: archives, datasets, plans, and independent oracles."""
