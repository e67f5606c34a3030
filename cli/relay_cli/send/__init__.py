"""`relay send`: hands events in as a producer would."""
