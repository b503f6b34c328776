import Testing

@Suite struct CgroupsRoomTests {}
