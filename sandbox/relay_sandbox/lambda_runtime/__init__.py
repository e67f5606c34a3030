"""Lambda: functions in processes of their own, and what feeds them from queues."""
