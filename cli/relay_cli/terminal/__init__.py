"""What a person sees and types: text, files, signals, errors."""
