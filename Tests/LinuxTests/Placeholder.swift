import Testing

@Suite struct LinuxRoomTests {}
