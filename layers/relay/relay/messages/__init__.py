"""What stands on the queues, and how long it waits there. Pure."""
