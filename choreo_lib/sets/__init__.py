"""Data by name, in windows, split, augmented; and data whose ground truth is known."""
