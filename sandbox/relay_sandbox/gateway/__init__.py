"""API Gateway's HTTP API, on localhost."""
