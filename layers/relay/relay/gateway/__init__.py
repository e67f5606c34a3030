"""The HTTP API: its requests, and how they are answered."""
