internal import Documents
public import FoundationEssentials
internal import Linux

/// A rollback armed on disk before the first live byte changes: unless the watch confirms the promotion in time, whoever looks
/// next rolls it back, a process of its own first of all (``Guardian``).
///
/// Within one boot the deadline counts in boot time, which nobody can set; after a reboot the wall clock decides.
public struct Deadman: Sendable, Codable, Equatable {
    /// By the wall clock.
    public var deadline: Date
    /// The boot in which it was armed.
    public var bootID: String
    /// Seconds since that boot, sleep included.
    public var bootDeadline: Double
    /// What happens when nobody confirmed: the mission declares a rollback harmful, so live stays as it is and a person is called.
    public var keeps: Bool?

    init(deadline: Date, now: Date, keeps: Bool = false) throws {
        self.deadline = Timestamp.rounded(deadline)
        self.keeps = keeps ? true : nil
        bootID = try BootID.bootID()
        bootDeadline = BootID.bootSeconds() + deadline.timeIntervalSince(now)
    }

    /// Whether its time has come.
    ///
    /// - Parameters:
    ///   - now: The wall clock.
    ///   - bootID: This boot.
    ///   - bootSeconds: Seconds since this boot.
    /// - Returns: `true` from the deadline on.
    public func isDue(now: Date, bootID: String, bootSeconds: Double) -> Bool {
        remaining(now: now, bootID: bootID, bootSeconds: bootSeconds) <= 0
    }

    /// Seconds until it is due, by the clock that counts; negative afterwards.
    func remaining(now: Date, bootID: String, bootSeconds: Double) -> Double {
        bootID == self.bootID ? bootDeadline - bootSeconds : deadline.timeIntervalSince(now)
    }
}
