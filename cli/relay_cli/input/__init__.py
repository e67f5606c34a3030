"""Events as files hold them, checked and shown."""
