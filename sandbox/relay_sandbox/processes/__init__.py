"""Child processes, which end with the sandbox."""
