"""What two ears in a room hear of one chirp."""
