public import Documents
public import FoundationEssentials
public import Measurement
public import Sandbox

/// The agent's report of a trial: the predicate of an in-toto statement, signed with the agent's key (DESIGN section 7).
public struct Evidence: Sendable, Codable, Equatable {
    public static let predicateType = "https://grace.dev/evidence/v1"

    public var missionID: String
    public var missionDigest: Digest
    public var host: HostIdentity
    /// Fresh random bytes, base64url: the approval names them, and a promotion burns them.
    public var nonce: String
    public var createdAt: Date
    public var changeSet: Digest
    public var base: Digest
    /// One line a change, for people; the manifest is authoritative.
    public var changes: [String]
    public var trial: TrialResult
    public var metrics: KPIMetrics
    public var sandbox: SandboxReport
    public var checks: [CheckResult]
    public var governance: [RuleResult]
    public var constitution: [PrincipleResult]
    public var hunter: HunterReport
    public var trust: TrustScore
    public var policies: PolicyDigests

    public init(
        missionID: String, missionDigest: Digest, host: HostIdentity, nonce: String, createdAt: Date, changeSet: Digest,
        base: Digest, changes: [String], trial: TrialResult, metrics: KPIMetrics, sandbox: SandboxReport,
        checks: [CheckResult], governance: [RuleResult], constitution: [PrincipleResult], hunter: HunterReport,
        trust: TrustScore, policies: PolicyDigests
    ) {
        self.missionID = missionID
        self.missionDigest = missionDigest
        self.host = host
        self.nonce = nonce
        self.createdAt = createdAt
        self.changeSet = changeSet
        self.base = base
        self.changes = changes
        self.trial = trial
        self.metrics = metrics
        self.sandbox = sandbox
        self.checks = checks
        self.governance = governance
        self.constitution = constitution
        self.hunter = hunter
        self.trust = trust
        self.policies = policies
    }
}

/// A host as evidence names it.
public struct HostIdentity: Sendable, Codable, Equatable, Hashable {
    /// Stable and unique: the SHA-256 of the agent's public key.
    public var id: String
    public var name: String
    public var labels: [String: String]
    public var kernel: String

    public init(id: String, name: String, labels: [String: String] = [:], kernel: String) {
        self.id = id
        self.name = name
        self.labels = labels
        self.kernel = kernel
    }
}

/// Digests of the agent's own policy files when it judged.
public struct PolicyDigests: Sendable, Codable, Equatable, Hashable {
    public var governance: Digest
    public var constitution: Digest
    public var approvers: Digest

    public init(governance: Digest, constitution: Digest, approvers: Digest) {
        self.governance = governance
        self.constitution = constitution
        self.approvers = approvers
    }
}

/// The API's `sandbox_results`.
public struct SandboxReport: Sendable, Codable, Equatable {
    public var success: Bool
    public var tests_passed: Int
    public var tests_failed: Int
    public var stdout: String
    public var stderr: String
    public var exit_code: Int32?
    public var duration_ms: Double
    /// What the sandbox could not be given and did without, with the reason; empty is the full sandbox.
    public var fallbacks: [String]
    /// Longest pause of live for snapshots, seconds.
    public var snapshot_pause: Double?
    /// What the sandboxes' filters denied, by part of the test; `nil` in evidence of an agent that kept no record of it.
    public var denied_calls: [DeniedReport]?
    /// Whom the sandboxes reached and were refused, by part of the test; `nil` without a way out of them.
    public var network_use: [NetworkReport]?
    /// The limits that sandboxes ran into, by part of the test; `nil` in evidence of an agent that kept no record of them.
    public var limits_hit: [LimitReport]?

    public init(
        success: Bool, tests_passed: Int = 0, tests_failed: Int = 0, stdout: String = "", stderr: String = "",
        exit_code: Int32? = nil, duration_ms: Double = 0, fallbacks: [String] = [], snapshot_pause: Double? = nil,
        denied_calls: [DeniedReport]? = nil, network_use: [NetworkReport]? = nil, limits_hit: [LimitReport]? = nil
    ) {
        self.network_use = network_use
        self.success = success
        self.tests_passed = tests_passed
        self.tests_failed = tests_failed
        self.stdout = stdout
        self.stderr = stderr
        self.exit_code = exit_code
        self.duration_ms = duration_ms
        self.fallbacks = fallbacks
        self.snapshot_pause = snapshot_pause
        self.denied_calls = denied_calls
        self.limits_hit = limits_hit
    }
}

/// A limit that sandboxes of one part of a test ran into.
public struct LimitReport: Sendable, Codable, Equatable {
    /// As in ``DeniedReport/part``.
    public var part: String
    public var limit: Breach
    /// In how many of the part's sandboxes.
    public var times: Int

    public init(part: String, limit: Breach, times: Int) {
        self.part = part
        self.limit = limit
        self.times = times
    }
}

/// What went out, and what was refused, in one part of a test, in all of that part's sandboxes together.
public struct NetworkReport: Sendable, Codable, Equatable {
    /// As ``DeniedReport/part``.
    public var part: String
    public var use: NetworkUse

    public init(part: String, use: NetworkUse) {
        self.part = part
        self.use = use
    }
}

/// The calls that were denied in one part of a test, in all of that part's sandboxes together.
public struct DeniedReport: Sendable, Codable, Equatable {
    /// The change itself, and the two arms of the trial; besides them `check NAME`.
    public static let apply = "apply"
    public static let baseline = "baseline"
    public static let candidate = "candidate"

    public var part: String
    public var denied: DeniedCalls

    public init(part: String, denied: DeniedCalls) {
        self.part = part
        self.denied = denied
    }
}

public struct CheckResult: Sendable, Codable, Equatable {
    public var name: String
    public var passed: Bool
    public var exitCode: Int32?
    public var testsPassed: Int?
    public var testsFailed: Int?
    public var coverage: Double?
    public var message: String

    public init(
        name: String, passed: Bool, exitCode: Int32?, testsPassed: Int? = nil, testsFailed: Int? = nil,
        coverage: Double? = nil, message: String
    ) {
        self.name = name
        self.passed = passed
        self.exitCode = exitCode
        self.testsPassed = testsPassed
        self.testsFailed = testsFailed
        self.coverage = coverage
        self.message = message
    }
}
