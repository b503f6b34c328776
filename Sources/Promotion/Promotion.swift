// The Promotion room.
