"""What a camera and a depth sensor in a room see."""
