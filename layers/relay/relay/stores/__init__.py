"""What the tables keep: identities, deliveries, the money trail."""
