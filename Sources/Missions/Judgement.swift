/// How binding a governance rule is: an advisory one is shown, a soft-mandatory one needs a signed override, a
/// hard-mandatory one blocks.
public enum RuleLevel: String, Sendable, Codable, CaseIterable {
    case advisory
    case softMandatory = "soft_mandatory"
    case hardMandatory = "hard_mandatory"
}

/// What one governance rule said.
public struct RuleResult: Sendable, Codable, Equatable {
    public var rule: String
    public var level: RuleLevel
    /// `false`: the rule has nothing to say about this mission and does not count.
    public var applicable: Bool
    public var passed: Bool
    public var message: String

    public init(rule: String, level: RuleLevel, applicable: Bool, passed: Bool, message: String) {
        self.rule = rule
        self.level = level
        self.applicable = applicable
        self.passed = passed
        self.message = message
    }
}

/// When a principle is asked.
public enum PrincipleStage: String, Sendable, Codable, CaseIterable {
    case evidence, execution
}

/// What one principle of the constitution said; any failure blocks.
public struct PrincipleResult: Sendable, Codable, Equatable {
    public var principle: String
    public var stage: PrincipleStage
    public var satisfied: Bool
    public var message: String

    public init(principle: String, stage: PrincipleStage, satisfied: Bool, message: String) {
        self.principle = principle
        self.stage = stage
        self.satisfied = satisfied
        self.message = message
    }
}

/// How grave a finding is; DESIGN section 6 gives the weights.
public enum FindingSeverity: String, Sendable, Codable, CaseIterable {
    case critical, high, medium, low

    /// What it takes off the security score.
    public var weight: Double {
        switch self {
        case .critical: 1
        case .high: 0.4
        case .medium: 0.1
        case .low: 0.02
        }
    }
}

/// One thing Hunter found in a change set.
public struct Finding: Sendable, Codable, Equatable {
    /// Stable across runs for the same rule and place.
    public var id: String
    public var rule: String
    public var severity: FindingSeverity
    /// Display form of the path; empty when no path is meant.
    public var path: String
    public var message: String

    public init(id: String, rule: String, severity: FindingSeverity, path: String, message: String) {
        self.id = id
        self.rule = rule
        self.severity = severity
        self.path = path
        self.message = message
    }
}

/// Hunter's report.
public struct HunterReport: Sendable, Codable, Equatable {
    public var findings: [Finding]
    /// Each scanner with `RAN`, or `NOT_RUN: reason`.
    public var scanners: [String: String]
    /// 1 minus the findings' weights, at least 0.
    public var score: Double

    public init(findings: [Finding], scanners: [String: String], score: Double) {
        self.findings = findings
        self.scanners = scanners
        self.score = score
    }
}

/// The trust score with its parts, each 0…1 (DESIGN section 6); always shown together.
public struct TrustScore: Sendable, Codable, Equatable {
    public var kpi: Double
    public var governance: Double
    public var constitution: Double
    public var security: Double
    public var total: Double
    /// What keeps each part from 1, for people.
    public var reasons: [String]

    public init(
        kpi: Double, governance: Double, constitution: Double, security: Double, total: Double, reasons: [String]
    ) {
        self.kpi = kpi
        self.governance = governance
        self.constitution = constitution
        self.security = security
        self.total = total
        self.reasons = reasons
    }
}
