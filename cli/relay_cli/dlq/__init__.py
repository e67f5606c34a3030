"""`relay dlq`: what could not be delivered, and what is to become of it."""
