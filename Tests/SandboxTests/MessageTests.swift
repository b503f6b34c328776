import CSandbox
import Glibc
import Linux
import Testing

@testable import Sandbox

/// What a sandbox says last is heard, whatever it had not read yet.
@Suite struct MessageTests {
    @Test func theLastWordOfASandboxThatEndsWithOursUnreadIsHeard() throws {
        var ends: [Int32] = [-1, -1]
        try #require(csandbox_control_pair(&ends) == 0)
        let ours = Descriptor(owning: ends[0])
        let theirs = Descriptor(owning: ends[1])
        var failed = csandbox_message()
        failed.type = UInt32(CSANDBOX_FAILED.rawValue)
        failed.value = EINVAL
        #expect(csandbox_send(theirs.raw, &failed, nil, 0) == 0)
        var join = csandbox_message()
        join.type = UInt32(CSANDBOX_JOIN.rawValue)
        #expect(csandbox_send(ours.raw, &join, nil, 0) == 0)
        theirs.close()

        var message = csandbox_message()
        var descriptors = [Int32](repeating: -1, count: Int(CSANDBOX_MAX_PASSED))
        var count: Int32 = 0
        #expect(csandbox_receive(ours.raw, &message, &descriptors, &count, 0) == 1)
        #expect(message.type == UInt32(CSANDBOX_FAILED.rawValue) && message.value == EINVAL)
        #expect(csandbox_receive(ours.raw, &message, &descriptors, &count, 0) == 0)
    }
}
