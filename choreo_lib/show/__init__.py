"""What people look at: the player, plots, films."""
