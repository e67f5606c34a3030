"""`relay sandbox` and `relay demo`: the whole system on this machine."""
