"""Lambda: functions in their own processes, and the pollers that feed them from queues."""
