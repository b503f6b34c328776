internal import Documents
public import Missions

/// A rule that notices a problem: an HTTP probe whose latency rises above its own norm (DESIGN section 2, phase 1).
public struct Detector: Sendable, Equatable {
    public var name: String
    /// The URL that is asked.
    public var http: String
    /// Seconds between two probes.
    public var every: Double
    /// Samples that make the recent window.
    public var recent: Int
    /// Samples the norm needs before anything is compared with it, and the most it keeps.
    public var minimum: Int
    public var history: Int
    /// The relative rise over the norm that counts as a problem, 0.3 for 30 %.
    public var rises: Double
    /// The relative rise below which the problem is over; less than `rises`, so that a figure on the edge doesn't flap.
    public var clears: Double
    /// How many evaluations in a row must see the rise.
    public var times: Int
    /// Seconds for which the same problem makes no second mission after it made one.
    public var cooldown: Double
    public var severity: Severity
    /// The remedy's name.
    public var remedy: String

    public static func parse(file: String, text: String) throws -> Detector {
        let reader = DocumentReader(file: file, text: text)
        let keys = [
            "name", "http", "every", "recent", "minimum", "history", "rises", "clears", "times", "cooldown", "severity",
            "remedy",
        ]
        let fields = reader.root?.mapping(keys: keys) ?? [:]
        for key in ["name", "http", "remedy"] where fields[key] == nil {
            reader.report(line: 1, path: key, "the key is missing; a detector needs name, http and remedy.")
        }
        func share(_ key: String) -> Double? {
            guard let field = fields[key], let ratio = field.ratio() else { return nil }
            if ratio.isPercentagePoints { field.problem("expected a share of the norm such as 30%, found \(ratio).") }
            return ratio.fraction
        }
        let rises = share("rises") ?? 0.3
        let clears = share("clears") ?? rises / 3
        if clears >= rises { fields["clears"]?.problem("must be below rises (\(rises)), or the detector would flap.") }
        if rises <= 0 { fields["rises"]?.problem("must be above 0.") }
        let url = fields["http"]?.text() ?? ""
        if !url.isEmpty, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            fields["http"]?.problem("expected a URL that begins with http:// or https://, found “\(url)”.")
        }
        func count(_ key: String, _ standard: Int) -> Int {
            fields[key].flatMap { $0.integer(in: 1...100_000) }.map(Int.init) ?? standard
        }
        let minimum = count("minimum", 30)
        let history = count("history", 600)
        if history < minimum {
            // Whichever of the two was written: a norm that never fills would be a detector that never says anything.
            if let field = fields["history"] {
                field.problem("must be at least minimum (\(minimum)).")
            } else {
                fields["minimum"]?.problem("is more than the history keeps (\(history)); write a larger history.")
            }
        }
        let every = fields["every"]?.span()?.seconds ?? 5
        if every < 0.05 { fields["every"]?.problem("must be at least 50ms, so that the probe is no load of its own.") }
        let severity = fields["severity"]?.choice(Severity.allCases.map(\.rawValue)).flatMap(Severity.init) ?? .medium
        let detector = Detector(
            name: fields["name"]?.text() ?? "", http: url, every: every,
            recent: count("recent", 10), minimum: minimum, history: history, rises: rises, clears: clears,
            times: count("times", 3), cooldown: fields["cooldown"]?.span()?.seconds ?? 3600, severity: severity,
            remedy: fields["remedy"]?.text() ?? "")
        try reader.finish()
        return detector
    }
}

/// What a detector saw when it fired.
public struct Detection: Sendable, Equatable {
    public var detector: String
    public var remedy: String
    public var severity: Severity
    /// The norm's median and the recent median, in seconds.
    public var usual: Double
    public var observed: Double

    public var rise: Double { observed / usual - 1 }

    /// One sentence for the mission's rationale.
    public var sentence: String {
        func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
        return
            "Detector \(detector): latency rose \(Int((rise * 100).rounded())) % over its norm "
            + "(\(milliseconds(usual)) usually, \(milliseconds(observed)) now)."
    }
}

/// One detector's memory: pure, fed with samples and times, so that every rule of it is testable.
public struct DetectorState: Sendable, Equatable {
    public let detector: Detector
    public private(set) var norm: Norm
    /// Evaluations in a row that saw the rise.
    public private(set) var streak = 0
    /// Whether a problem stands: it was seen and has not cleared.
    public private(set) var standing = false
    /// Whether the standing problem was said.
    private var isSaid = false
    /// No new mission before this time, in seconds of the caller's clock.
    public private(set) var quietUntil: Double

    public init(_ detector: Detector, quietUntil: Double = -.infinity) {
        self.detector = detector
        self.norm = Norm(recent: detector.recent, history: detector.history)
        self.quietUntil = quietUntil
    }

    /// Takes one latency sample; answers a detection exactly once per problem and cool-down.
    public mutating func take(_ latency: Double, at now: Double) -> Detection? {
        norm.add(latency, learn: !standing && streak == 0)
        guard let observed = norm.observed, let usual = norm.usual(minimum: detector.minimum), usual > 0 else {
            return nil
        }
        let rise = observed / usual - 1
        if standing {
            if rise < detector.clears {
                standing = false
                streak = 0
            }
        } else {
            streak = rise >= detector.rises ? streak + 1 : 0
            if streak >= detector.times {
                standing = true
                isSaid = false
            }
        }
        // A problem that began in a quiet time is said when that is over, if it still is one.
        guard standing, !isSaid, rise >= detector.rises, now >= quietUntil else { return nil }
        isSaid = true
        quietUntil = now + detector.cooldown
        return Detection(
            detector: detector.name, remedy: detector.remedy, severity: detector.severity, usual: usual,
            observed: observed)
    }

    /// The detection led to no mission (the host is paused, nobody answers): it is made again while the problem lasts.
    ///
    /// - Parameters:
    ///   - now: The caller's clock, seconds.
    ///   - again: Seconds until then.
    public mutating func unanswered(at now: Double, again: Double = 60) {
        isSaid = false
        quietUntil = now + again
    }
}
