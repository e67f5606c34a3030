"""`relay demo`: sends every sample to its real entry, and shows the result."""
