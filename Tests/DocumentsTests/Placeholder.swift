import Testing

@Suite struct DocumentsRoomTests {}
