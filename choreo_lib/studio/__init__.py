"""What a choreographer uses. Taught in chapter 10, "The studio"."""
