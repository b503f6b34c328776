// The Parliament room.
