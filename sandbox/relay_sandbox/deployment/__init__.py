"""`template.yaml` as AWS reads it, and the resources created from it."""
