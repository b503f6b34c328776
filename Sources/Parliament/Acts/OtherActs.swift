public import Documents
public import FoundationEssentials

/// One listed person's signed order to take a promotion back after its watch (DESIGN section 2, step 7).
public struct RollbackPredicate: SignedAct {
    public static let predicateType = "https://grace.dev/rollback/v1"
    public static let namespace = ActNamespace.rollback

    public var by: String
    public var mission: String
    public var host: String
    public var reason: String
    public var issuedAt: Date
    public var expires: Date

    /// Puts the act together; times are rounded to the millisecond.
    public init(by: String, mission: String, host: String, reason: String, issuedAt: Date, expires: Date) {
        self.by = by
        self.mission = mission
        self.host = host
        self.reason = reason
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}

/// A signed act that makes an approval void wherever it has not been used yet.
public struct RevocationPredicate: SignedAct {
    public static let predicateType = "https://grace.dev/revocation/v1"
    public static let namespace = ActNamespace.approve

    public var by: String
    /// The approval's ``ActEnvelope/id(_:)``.
    public var approval: Digest
    public var reason: String
    public var issuedAt: Date
    public var expires: Date

    /// Puts the act together; times are rounded to the millisecond.
    public init(by: String, approval: Digest, reason: String, issuedAt: Date, expires: Date) {
        self.by = by
        self.approval = approval
        self.reason = reason
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}

/// A signed act that sets the trust threshold.
public struct ThresholdPredicate: SignedAct {
    public static let predicateType = "https://grace.dev/threshold/v1"
    public static let namespace = ActNamespace.policy

    public var by: String
    /// The new threshold, 0…1.
    public var value: Double
    /// The one it takes the place of; so an act that was used can't be used again after another.
    public var previous: Double
    /// A host's id, or nil for every host.
    public var host: String?
    public var reason: String
    public var issuedAt: Date
    public var expires: Date

    /// Puts the act together; times are rounded to the millisecond.
    public init(
        by: String, value: Double, previous: Double, host: String?, reason: String, issuedAt: Date, expires: Date
    ) {
        self.by = by
        self.value = value
        self.previous = previous
        self.host = host
        self.reason = reason
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}

/// A signed act that stops, or lets go on, proposals, trials and promotions (DESIGN 8.10).
public struct PausePredicate: SignedAct {
    public static let predicateType = "https://grace.dev/pause/v1"
    public static let namespace = ActNamespace.policy

    public var by: String
    /// Whether to stop or to go on.
    public var paused: Bool
    /// A host's id, or nil for every host.
    public var host: String?
    public var reason: String
    public var issuedAt: Date
    public var expires: Date

    /// Puts the act together; times are rounded to the millisecond.
    public init(by: String, paused: Bool, host: String?, reason: String, issuedAt: Date, expires: Date) {
        self.by = by
        self.paused = paused
        self.host = host
        self.reason = reason
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}
