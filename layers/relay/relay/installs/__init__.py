"""The use case of `receive_install`: AppsFlyer tells of installs."""
