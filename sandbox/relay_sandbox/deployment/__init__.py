"""`template.yaml` as AWS reads it, and the resources made of it."""
