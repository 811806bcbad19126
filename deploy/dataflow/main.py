"""What a Flex template's launcher runs: it wants a file, not a module."""

import sys

from beam_pipeline.run import main

sys.exit(main(sys.argv[1:]))
