"""`relay payments`: webhooks as the providers send them, and what they become."""
