"""The payment providers, one module or folder each, and what they share."""
