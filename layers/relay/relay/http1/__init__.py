"""HTTP/1.1 over kept connections: who is spoken to is not known here."""
