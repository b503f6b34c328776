internal import Documents

/// What live felt at one moment, as far as this host counts it.
public struct LiveSample: Sendable, Equatable {
    /// For each resource and part of live: the seconds, since some fixed time, in which a task of that part waited for it.
    public var stalled: [LiveResource: [String: Double]]
    /// Bytes that a new program could get without swapping; `nil` where it can't be read.
    public var memoryAvailable: Int64?

    public init(stalled: [LiveResource: [String: Double]] = [:], memoryAvailable: Int64? = nil) {
        self.stalled = stalled
        self.memoryAvailable = memoryAvailable
    }
}

/// Holds samples against the limits: pure, fed with samples and times.
public struct LivePressure: Sendable {
    private let limits: LiveLimits
    /// Bytes.
    private let reserve: Int64
    /// The newest sample that is at least `limits.lasting` old, and all after it.
    private var samples: [(at: Double, sample: LiveSample)] = []

    public init(limits: LiveLimits, memoryTotal: Int64) {
        self.limits = limits
        self.reserve = limits.memoryReserve.bytes(of: memoryTotal)
    }

    /// Takes the next sample.
    ///
    /// - Parameters:
    ///   - sample: What live felt until now.
    ///   - now: Seconds of a clock that is never set.
    /// - Returns: A sentence when live has suffered for long enough.
    public mutating func take(_ sample: LiveSample, at now: Double) -> String? {
        samples.append((now, sample))
        while samples.count > 1, samples[1].at <= now - limits.lasting { samples.removeFirst() }
        guard let first = samples.first, first.at <= now - limits.lasting else { return nil }
        return memory() ?? pressure(first, now)
    }

    private func memory() -> String? {
        let available = samples.map { $0.sample.memoryAvailable ?? .max }
        guard let most = available.max(), most < reserve else { return nil }
        return
            "live has \(most >> 20) MiB of memory left, less than the reserve of \(reserve >> 20) MiB (memory_reserve in agent.yaml)"
    }

    private func pressure(_ first: (at: Double, sample: LiveSample), _ now: Double) -> String? {
        guard let last = samples.last?.sample else { return nil }
        for resource in LiveResource.allCases {
            guard let limit = limits.pressure[resource] else { continue }
            for (part, seconds) in (last.stalled[resource] ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let before = first.sample.stalled[resource]?[part] else { continue }
                let share = (seconds - before) / (now - first.at)
                guard share > limit else { continue }
                return
                    "live (\(part)) waited for \(resource.rawValue) in \(Int((share * 100).rounded())) % of the last "
                    + "\(Span(seconds: (now - first.at).rounded())), and \(Ratio(fraction: limit)) is allowed (pressure.\(resource.rawValue) in agent.yaml)"
            }
        }
        return nil
    }
}
