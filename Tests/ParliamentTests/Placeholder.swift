import Testing

@Suite struct ParliamentRoomTests {}
