"""Clients for AWS and HTTP, and the lookup of queues and tables."""
