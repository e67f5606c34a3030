"""What people set up: environment variables, and parameters of Parameter Store."""
