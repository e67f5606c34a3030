"""AWS, HTTP, and which queues and tables are meant."""
