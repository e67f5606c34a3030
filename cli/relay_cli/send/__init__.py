"""`relay send`: sends events as a producer would."""
