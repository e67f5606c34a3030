"""The use case of `receive_install`: takes AppsFlyer's messages about installs."""
