"""The relay's tables: identities, deliveries, the money trail."""
