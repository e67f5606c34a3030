"""`relay check`: shows what would be sent, and what is wrong with it."""
