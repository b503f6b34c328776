// The Linux room.
