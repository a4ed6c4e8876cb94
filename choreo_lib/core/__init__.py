"""What every room stands on: rules for arguments, float32, seeds, files written whole."""
