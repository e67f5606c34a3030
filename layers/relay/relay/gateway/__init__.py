"""The HTTP API: its requests and responses."""
