import Testing

@Suite struct PromotionRoomTests {}
