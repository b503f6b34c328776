/// What a trial, or one KPI of it, showed.
public enum Verdict: String, Codable, Sendable, Hashable {
    /// Every goal reached and every guardrail held, with the demanded confidence.
    case PASS
    /// A guardrail was broken, with the demanded confidence.
    case REGRESSION
    /// Neither could be shown.
    case INCONCLUSIVE
}
