"""`relay tail`, `relay status`, and waiting for events: what becomes of them in a sandbox."""
