import Testing

@Suite struct TrustRoomTests {}
