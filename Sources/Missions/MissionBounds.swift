/// What a mission's numbers may be: each bound stands here once, for the parser, which names line and key, and for
/// ``MissionFile/faults``, by which an agent judges a document that no parser saw. Times are in seconds.
enum MissionBounds {
    static let readyWithin = 0.1...600.0
    static let checkTimeout = 0.1...86_400.0
    /// Fewer than 10 blocks can't decide at 95% with any noise; more than 80 cost a host more than a test may.
    static let blocks: ClosedRange<Int64> = 10...80
    static let watch = 1...604_800.0
    static let watchInterval = 0.05...3600.0
    static let probes = 0...50
    /// Share of failed probes.
    static let watchErrorRate = 0...1.0
    static let watchLatency = 0.000_001...600.0
    static let snapshotPause = 0.001...60.0
}
