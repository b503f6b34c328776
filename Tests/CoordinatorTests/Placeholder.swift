import Testing

@Suite struct CoordinatorRoomTests {}
