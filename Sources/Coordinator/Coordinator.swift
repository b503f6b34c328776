// The Coordinator room.
