"""`relay check`: what would be sent of a file, and what is wrong with it."""
