"""What is counted of images: one row a statistic."""

from typing import Final

# Quantities that have a histogram, with the parts of the unit in which they count.
QUANTITIES: Final = {
    "width": 1,  # pixels
    "height": 1,  # pixels
    "aspect": 1 << 16,  # width over height
    "megapixels": 1_000_000,
    "image_kib": 1 << 10,
    "bits_per_pixel": 1 << 16,  # of the encoded image
}

# What is counted by name.
COUNTED: Final = (
    *("encodings", "modes", "subsamplings", "qualities", "orientations"),
    *("progressive", "warnings", "repaired"),
)

# Extreme images: by which quantity, and whether the lowest (1) or the highest (-1).
EXTREMES: Final = {
    "smallest": ("megapixels", 1),
    "largest": ("megapixels", -1),
    "most_compressed": ("bits_per_pixel", 1),
    "least_compressed": ("bits_per_pixel", -1),
}
