"""What is set up in Parameter Store: read, judged, and changed without losing others' changes."""
