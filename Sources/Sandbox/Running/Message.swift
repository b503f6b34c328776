internal import CSandbox
internal import Linux

extension csandbox_message {
    /// Receives one, with its descriptors; `waiting`: however long it takes.
    ///
    /// - Returns: As `csandbox_receive` has it: 1 for a message, 0 for the other side's end, `-EAGAIN` for none yet, another -errno.
    static func receive(from socket: Descriptor, waiting: Bool = false) -> (
        result: Int32, message: csandbox_message, descriptors: [Descriptor]
    ) {
        var message = csandbox_message()
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(CSANDBOX_MAX_PASSED)) {
            var count: Int32 = 0
            let result = csandbox_receive(socket.raw, &message, $0.baseAddress, &count, waiting ? 1 : 0)
            return (result, message, $0.prefix(Int(count)).map { Descriptor(owning: $0) })
        }
    }
}
