"""Events as files hold them."""
