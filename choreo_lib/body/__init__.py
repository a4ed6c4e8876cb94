"""What a body is: its skeleton, its motion, and whether it fits a model."""
