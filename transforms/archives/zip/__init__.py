"""What a zip holds, read from its directory alone, and the bytes of its members."""
