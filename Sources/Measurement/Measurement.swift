// The Measurement room.
