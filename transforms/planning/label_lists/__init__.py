"""All labels of images that have several."""
