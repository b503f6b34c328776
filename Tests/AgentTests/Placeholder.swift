import Testing

@Suite struct AgentRoomTests {}
