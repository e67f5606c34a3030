"""`relay setup`: apps, producers and payment sources of an installation."""
