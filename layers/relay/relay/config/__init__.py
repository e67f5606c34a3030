"""Configuration: environment variables, and parameters of Parameter Store."""
