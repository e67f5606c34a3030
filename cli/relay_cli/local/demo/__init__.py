"""`relay demo`: every sample through its real entry, and what became of it."""
