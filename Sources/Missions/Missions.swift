// The Missions room.
