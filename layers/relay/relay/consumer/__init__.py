"""What every function behind a queue does with its batch."""
