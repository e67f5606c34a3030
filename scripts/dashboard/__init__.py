"""The CloudWatch dashboard, the composite alarm and the saved queries of `template.yaml`."""
