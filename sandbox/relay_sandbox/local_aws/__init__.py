"""The local AWS: moto in a process of its own."""
