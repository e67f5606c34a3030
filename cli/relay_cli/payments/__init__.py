"""`relay payments`: sends webhooks as providers do, and shows the resulting events."""
