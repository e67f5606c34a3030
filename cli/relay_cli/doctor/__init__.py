"""`relay doctor`: whether everything that events need is there, one line a check."""
