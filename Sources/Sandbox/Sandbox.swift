// The Sandbox room.
