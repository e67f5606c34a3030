"""The local AWS: moto in its own process, or tables in this one."""
