internal import Documents

/// A resource that live may have to wait for.
public enum LiveResource: String, Sendable, CaseIterable, Hashable {
    case cpu, memory, io
}

/// What trials leave to live, and when they stop for its sake (DESIGN section 8.9).
public struct LiveLimits: Sendable, Equatable {
    /// Memory that stays free for live, whatever a trial uses.
    public enum Reserve: Sendable, Equatable, CustomStringConvertible {
        case bytes(Int64)
        /// A share of the host's memory, 0…1.
        case share(Double)

        /// In bytes, on a host with so much memory.
        public func bytes(of total: Int64) -> Int64 {
            switch self {
            case .bytes(let bytes): bytes
            case .share(let share): Int64((share * Double(total)).rounded())
            }
        }

        public var description: String {
            switch self {
            case .bytes(let bytes): ByteSize(bytes: bytes).description
            case .share(let share): Ratio(fraction: share).description
            }
        }
    }

    public var memoryReserve: Reserve
    /// The largest share of time, 0…1, in which some task of live may wait for a resource; 1 is never reached.
    public var pressure: [LiveResource: Double]
    /// Seconds for which a limit must be broken, on their average, before a trial stops.
    public var lasting: Double
    /// Seconds until a stopped trial goes on; twice as long after each further stop that found no whole block done.
    public var rest: Double

    /// CPU pressure is off by default: the trial share and the low weight bound what live can lose, and on a busy host some
    /// task always waits for a processor.
    public init(
        memoryReserve: Reserve = .share(0.1), pressure: [LiveResource: Double] = [.cpu: 1, .memory: 0.1, .io: 0.5],
        lasting: Double = 10, rest: Double = 60
    ) {
        self.memoryReserve = memoryReserve
        self.pressure = pressure
        self.lasting = lasting
        self.rest = rest
    }

    /// Reads `memory_reserve` and `pressure` of `agent.yaml`; problems go to the reader.
    static func parse(reserve: Field?, pressure: Field?) -> LiveLimits {
        var limits = LiveLimits()
        if let reserve, let value = Self.reserve(reserve) { limits.memoryReserve = value }
        guard let members = pressure?.mapping(keys: LiveResource.allCases.map(\.rawValue) + ["for", "rest"]) else {
            return limits
        }
        for resource in LiveResource.allCases {
            guard let field = members[resource.rawValue], let ratio = field.ratio() else { continue }
            if ratio.fraction > 0, ratio.fraction <= 1, !ratio.isPercentagePoints {
                limits.pressure[resource] = ratio.fraction
            } else {
                field.problem("expected a share of time above 0% and at most 100% (never), found \(ratio).")
            }
        }
        func seconds(_ key: String, _ range: ClosedRange<Double>) -> Double? {
            guard let field = members[key], let span = field.span() else { return nil }
            guard range.contains(span.seconds) else {
                field.problem(
                    "expected a time from \(Span(seconds: range.lowerBound)) to \(Span(seconds: range.upperBound)), found \(span)."
                )
                return nil
            }
            return span.seconds
        }
        limits.lasting = seconds("for", 1...600) ?? limits.lasting
        limits.rest = seconds("rest", 1...86_400) ?? limits.rest
        return limits
    }

    private static func reserve(_ field: Field) -> Reserve? {
        guard let text = field.string() else { return nil }
        if text.hasSuffix("%"), let ratio = Ratio(text) {
            guard ratio.fraction < 1 else {
                field.problem("expected a share of the host's memory below 100%, found \(ratio).")
                return nil
            }
            return .share(ratio.fraction)
        }
        guard let size = ByteSize(text) else {
            field.problem(
                "expected a size such as 1Gi or a share of the host's memory such as 10%, found “\(text.prefix(60))”.")
            return nil
        }
        return .bytes(size.bytes)
    }
}
