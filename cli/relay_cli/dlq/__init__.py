"""`relay dlq`: what could not be delivered: list, show, export, redrive, drop."""
