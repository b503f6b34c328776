import Testing

@Suite struct LedgerRoomTests {}
