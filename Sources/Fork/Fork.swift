// The Fork room.
