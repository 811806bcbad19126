"""The program: configuration, engines, command lines, and the pipeline as one line."""
