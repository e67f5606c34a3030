"""How many events a second one core forwards, beside the handler one would write first."""
