// The Cgroups room.
