"""What Pillow raises for bytes that are no image, in one place for all who call it."""

import struct
import zlib
from typing import Final

from PIL import Image

# Its decoders don't bound what they raise, and a warning is raised where the user has
# asked for that. Not in it: MemoryError, which may be the machine's fault.
ERRORS: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError),
    *(LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, Warning),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
