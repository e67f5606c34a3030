"""What tests share: builders, doubles, harnesses, the template as it is deployed, webhooks."""
