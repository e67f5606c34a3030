"""`relay dlq`: what could not be delivered: list, show, edit, export, resubmit, redrive, drop."""
