import Testing

@Suite struct ForkRoomTests {}
