/// Why a mission may not be executed.
public struct Blocker: Sendable, Equatable, CustomStringConvertible {
    /// What stands in the way.
    public enum Kind: Sendable, Equatable, Hashable {
        /// The trial, or a guardrail of it, is a REGRESSION.
        case regression
        /// The trial used up its blocks and is INCONCLUSIVE.
        case inconclusive
        /// There is no trial.
        case notMeasured
        case hardMandatory(rule: String)
        case softMandatory(rule: String)
        case principle(String)
        /// Trust stays below the threshold whatever more data would show.
        case trust
        /// A threshold or score that is no number of 0…1.
        case invalid
    }

    public var kind: Kind
    /// What is wrong and what would cure it.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }

    /// Whether people may override it by a signed act (DESIGN section 2, step 5).
    public var isOverridable: Bool {
        switch kind {
        case .inconclusive, .softMandatory, .trust: true
        case .regression, .notMeasured, .hardMandatory, .principle, .invalid: false
        }
    }
}

/// What people overrode by signed acts that the caller has verified.
public struct Overrides: Sendable, Equatable {
    /// Trust may lie below the threshold.
    public var trust: Bool
    /// The trial may be INCONCLUSIVE.
    public var inconclusive: Bool
    /// Names of soft-mandatory rules that may have failed.
    public var rules: Set<String>

    public static let none = Overrides()

    public init(trust: Bool = false, inconclusive: Bool = false, rules: Set<String> = []) {
        self.trust = trust
        self.inconclusive = inconclusive
        self.rules = rules
    }
}
