/// When trials may run again after one stopped for live's sake: pure.
struct TrialRest: Sendable {
    /// Seconds of the caller's clock, after which trials may run again.
    private(set) var until = -Double.infinity
    /// Stops in a row of one mission that found no further block done.
    private var idle = 0
    private var last: (mission: String, blocks: Int) = ("", 0)
    /// However long live suffers, it is tried again after this; or after the first rest, where that is longer.
    static let longest = 3600.0

    /// A trial stopped.
    ///
    /// - Parameters:
    ///   - mission: Whose trial.
    ///   - blocks: How many blocks of it are done.
    ///   - now: The caller's clock, seconds.
    ///   - rest: The rest after a first stop, seconds.
    /// - Returns: Seconds until trials may run again.
    mutating func stopped(_ mission: String, blocks: Int, at now: Double, rest: Double) -> Double {
        idle = mission != last.mission || blocks > last.blocks ? 0 : idle + 1
        last = (mission, blocks)
        var seconds = rest
        for _ in 0..<min(idle, 64) { seconds = min(seconds * 2, max(rest, Self.longest)) }
        until = now + seconds
        return seconds
    }

    /// A trial ended by itself.
    mutating func ended() { last = ("", 0) }
}
