"""Files of labels: what a configuration says of one, and what it says of images."""
