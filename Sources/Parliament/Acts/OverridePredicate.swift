public import Documents
public import FoundationEssentials

/// A person's signed will to let one mission pass in spite of what falls short: exactly the listed items, for exactly this
/// evidence. Never a REGRESSION, a conflict, a missing approval or a hard-mandatory rule (DESIGN section 2, step 5).
public struct OverridePredicate: SignedAct {
    public static let predicateType = "https://grace.dev/override/v1"
    public static let namespace = ActNamespace.override

    /// What can be overridden.
    public enum Item: Codable, Sendable, Hashable, CustomStringConvertible {
        /// Trust below the threshold.
        case trust
        /// An INCONCLUSIVE verdict.
        case inconclusive
        /// The cool-down of a detector and remedy that people rejected.
        case cooldown
        /// A soft-mandatory rule, by its id.
        case rule(String)

        public var description: String {
            switch self {
            case .trust: "trust"
            case .inconclusive: "inconclusive"
            case .cooldown: "cooldown"
            case .rule(let id): "rule:\(id)"
            }
        }

        /// Reads ``description`` back.
        public init?(_ text: String) {
            switch text {
            case "trust": self = .trust
            case "inconclusive": self = .inconclusive
            case "cooldown": self = .cooldown
            default:
                guard text.hasPrefix("rule:"), text.count > 5 else { return nil }
                self = .rule(String(text.dropFirst(5)))
            }
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let item = Item(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription:
                        "“\(text.prefix(80))” can't be overridden: trust, inconclusive, cooldown or rule:ID")
            }
            self = item
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(description)
        }
    }

    public var by: String
    public var items: [Item]
    /// Why; never empty.
    public var reason: String
    public var mission: String
    public var host: String
    public var evidence: Digest
    public var nonce: String
    public var issuedAt: Date
    public var expires: Date

    /// Puts an override together; times are rounded to the millisecond.
    public init(
        by: String, items: [Item], reason: String, mission: String, host: String, evidence: Digest, nonce: String,
        issuedAt: Date,
        expires: Date
    ) {
        self.by = by
        self.items = items
        self.reason = reason
        self.mission = mission
        self.host = host
        self.evidence = evidence
        self.nonce = nonce
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}
