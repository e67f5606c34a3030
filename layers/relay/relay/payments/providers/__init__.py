"""The payment providers, a module or folder each, and what they share."""
