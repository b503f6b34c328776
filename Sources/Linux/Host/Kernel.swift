internal import CLinux

/// What this kernel and this process are.
public enum Kernel {
    /// `uname(2)`.
    public struct Names: Sendable, Hashable, Codable {
        /// `6.1.0-18-amd64`.
        public let release: String
        /// `x86_64`.
        public let machine: String
        /// The host's name in this UTS namespace.
        public let host: String
    }

    /// The kernel's names.
    public static func names() throws -> Names {
        var release = [CChar](repeating: 0, count: 128)
        var machine = release
        var host = release
        try SystemError.check(
            clinux_kernel(&release, release.count, &machine, machine.count, &host, host.count), "uname", "")
        return Names(release: text(release), machine: text(machine), host: text(host))
    }

    /// Major and minor number of the running kernel: (6, 1).
    public static func version() throws -> (major: Int, minor: Int) {
        let numbers = try names().release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { throw SystemError(call: "parse", subject: "uname's release", code: 22) }
        return (numbers[0], numbers[1])
    }

    /// Processors this process may run on.
    public static func onlineProcessors() -> Int { Int(clinux_online_processors()) }

    /// Whether the process has the capability with that number in effect (capabilities(7)): 21 is CAP_SYS_ADMIN.
    public static func hasCapability(_ number: Int) -> Bool {
        clinux_effective_capabilities() >> UInt64(number) & 1 == 1
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
