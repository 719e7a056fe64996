"""What a room is: its shell, what stands in it, what everything is made of, and where the camera walks."""
