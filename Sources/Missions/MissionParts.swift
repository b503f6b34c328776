public import Measurement

/// A service that every arm starts, in order, before the workload.
public struct ServiceSpecification: Sendable, Codable, Equatable {
    public var run: String
    public var user: String?
    public var directory: String
    public var environment: [String: String]
    /// Variables whose values come from a file on the host and never appear in evidence, logs or the ledger.
    public var secrets: [String: SecretSource]
    public var ready: Readiness?

    public init(
        run: String, user: String? = nil, directory: String = "/", environment: [String: String] = [:],
        secrets: [String: SecretSource] = [:], ready: Readiness? = nil
    ) {
        self.run = run
        self.user = user
        self.directory = directory
        self.environment = environment
        self.secrets = secrets
        self.ready = ready
    }
}

public struct SecretSource: Sendable, Codable, Equatable {
    /// Absolute path of a file on the host; its content without the last newline is the value.
    public var file: String

    public init(file: String) { self.file = file }
}

/// When a service counts as started.
public struct Readiness: Sendable, Codable, Equatable {
    /// A URL that answers 200…399.
    public var http: String
    /// Seconds until the arm is given up.
    public var within: Double

    public init(http: String, within: Double = 10) {
        self.http = http
        self.within = within
    }
}

/// What is measured: exactly one of them.
public enum Workload: Sendable, Codable, Equatable {
    case http(LoadPlan)
    /// A command whose duration is the latency, or that writes `latency_seconds` lines to descriptor 3.
    case run(String)
}

/// A check run in the candidate fork, with the standard report files it writes.
public struct CheckSpecification: Sendable, Codable, Equatable {
    public var name: String
    public var run: String
    public var junit: String?
    public var coverage: String?
    public var sarif: String?
    /// Seconds until it counts as failed.
    public var timeout: Double

    public init(
        name: String, run: String, junit: String? = nil, coverage: String? = nil, sarif: String? = nil,
        timeout: Double = 600
    ) {
        self.name = name
        self.run = run
        self.junit = junit
        self.coverage = coverage
        self.sarif = sarif
        self.timeout = timeout
    }
}

/// What happens on live: after the files are in place, and while the result is watched.
public struct LiveSpecification: Sendable, Codable, Equatable {
    public var apply: LiveApply
    public var watch: WatchSpecification
    /// A rollback would do more harm than the change: on failure stop, keep and call a person.
    public var rollbackHarmful: Bool

    public init(
        apply: LiveApply = LiveApply(), watch: WatchSpecification = WatchSpecification(), rollbackHarmful: Bool = false
    ) {
        self.apply = apply
        self.watch = watch
        self.rollbackHarmful = rollbackHarmful
    }
}

/// How running processes take up promoted files. Run in the order reload, restart, run.
public struct LiveApply: Sendable, Codable, Equatable {
    public var reload: [String]
    public var restart: [String]
    public var run: [String]

    public init(reload: [String] = [], restart: [String] = [], run: [String] = []) {
        self.reload = reload
        self.restart = restart
        self.run = run
    }

    public var isEmpty: Bool { reload.isEmpty && restart.isEmpty && run.isEmpty }
}

/// The watch after promotion.
public struct WatchSpecification: Sendable, Codable, Equatable {
    /// Seconds; 1800 by default.
    public var duration: Double
    public var probes: [Probe]
    public var limits: WatchLimits
    /// Seconds between two probes of one URL.
    public var interval: Double

    public init(
        duration: Double = 1800, probes: [Probe] = [], limits: WatchLimits = WatchLimits(), interval: Double = 1
    ) {
        self.duration = duration
        self.probes = probes
        self.limits = limits
        self.interval = interval
    }
}

/// A GET request that should answer 200…399.
public struct Probe: Sendable, Codable, Equatable, Hashable {
    public var http: String

    public init(http: String) { self.http = http }
}

/// Absolute limits of the watch; crossing one rolls back.
public struct WatchLimits: Sendable, Codable, Equatable {
    /// Share of failed probes, 0…1.
    public var errorRate: Double?
    /// Seconds.
    public var latencyP95: Double?

    public init(errorRate: Double? = nil, latencyP95: Double? = nil) {
        self.errorRate = errorRate
        self.latencyP95 = latencyP95
    }
}
