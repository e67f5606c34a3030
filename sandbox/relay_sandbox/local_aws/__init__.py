"""The local AWS: moto in its own process."""
