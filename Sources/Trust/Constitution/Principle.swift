public import Missions

/// One of the standard principles of the constitution (DESIGN section 6). None can be switched off.
public enum Principle: String, Sendable, CaseIterable, Codable {
    /// Live can be brought back: pre-images for files, `undo` and `effect` for a rerun.
    case reversible
    /// A person can read what is changed and why.
    case explained
    /// The change was measured against an unchanged baseline.
    case measured
    /// Nothing outside the declared scope is touched.
    case withinScope = "within_scope"
    /// Grace's own binaries, keys, policies and records, and the paths a host protects besides, are not touched.
    case handsOffGrace = "hands_off_grace"
    /// Every command, denied call and network use is in the evidence, or the evidence says why it can't be.
    case nothingHidden = "nothing_hidden"
    /// People approved, as many as the host demands; agents never count.
    case approvedByPeople = "approved_by_people"
    /// The approval has not expired.
    case fresh
    /// Mission, change set, evidence and live's base are what was tested.
    case unchanged

    /// When it is asked.
    public var stage: PrincipleStage {
        switch self {
        case .reversible, .explained, .measured, .withinScope, .handsOffGrace, .nothingHidden: .evidence
        case .approvedByPeople, .fresh, .unchanged: .execution
        }
    }

    /// The principle as a sentence.
    public var text: String {
        switch self {
        case .reversible: "What is done can be taken back."
        case .explained: "What is done, and why, is said in words."
        case .measured: "What is done was measured against an unchanged baseline."
        case .withinScope: "What is done stays within the scope that was declared."
        case .handsOffGrace: "Grace's own binaries, keys and policies are never touched."
        case .nothingHidden: "Every command, denied call and network use is in the evidence."
        case .approvedByPeople: "People approved it."
        case .fresh: "The approval is fresh."
        case .unchanged: "Nothing changed since it was tested."
        }
    }
}
