"""The stack's CloudWatch dashboard, drawn from what this sandbox has measured."""
