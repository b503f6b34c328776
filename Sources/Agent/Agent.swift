// The Agent room.
