"""Storage that is a network away: Google Cloud Storage, and what Arrow knows."""
