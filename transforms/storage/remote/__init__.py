"""Storage over a network: Google Cloud Storage, and what Arrow can open."""
