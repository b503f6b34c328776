import Testing

@Suite struct SandboxRoomTests {}
