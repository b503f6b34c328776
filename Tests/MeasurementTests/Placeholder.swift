import Testing

@Suite struct MeasurementRoomTests {}
