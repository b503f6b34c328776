import Testing

@Suite struct MissionsRoomTests {}
