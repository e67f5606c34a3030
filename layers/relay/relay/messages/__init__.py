"""The messages on the queues, and how long they wait there. Pure."""
