"""The terminal: console output, files, signals, errors."""
