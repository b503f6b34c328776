public import Documents
internal import FoundationEssentials
public import Missions

/// What no mission may do, whatever people would like: the standard principles, and paths that a host protects besides.
///
/// Read from `constitution.yaml`, which root owns. The file can add; it can't take anything away.
public struct Constitution: Sendable, Equatable {
    /// Path patterns protected besides Grace's own paths.
    public let protectedPaths: [Glob]
    /// The SHA-256 of the file's bytes.
    public let digest: Digest

    init(protectedPaths: [Glob], digest: Digest) {
        self.protectedPaths = protectedPaths
        self.digest = digest
    }

    /// Every principle in force: always all of them.
    public var principles: [Principle] { Principle.allCases }

    /// The constitution of a fresh installation, as ``defaultText`` says it.
    public static let standard = Constitution(protectedPaths: [], digest: Digest(of: Data(defaultText.utf8)))

    /// Reads a constitution file.
    ///
    /// - Throws: `Problems`, every one with its line and key.
    public static func parse(file: String, text: String) throws -> Constitution {
        let reader = DocumentReader(file: file, text: text)
        var globs: [Glob] = []
        if let root = reader.root, let members = root.mapping(keys: ["protected_paths", "principles"]) {
            if let field = members["protected_paths"] { globs = field.globs(atLeastOne: false) }
            if let field = members["principles"], let entries = field.mapping(keys: Principle.allCases.map(\.rawValue))
            {
                for principle in Principle.allCases {
                    guard let entry = entries[principle.rawValue], let value = entry.boolean() else { continue }
                    if !value {
                        entry.problem("a standard principle can't be switched off; write true, or take the line out.")
                    }
                }
            }
        }
        try reader.finish()
        return Constitution(protectedPaths: globs, digest: Digest(of: Data(text.utf8)))
    }

    /// What every principle of a stage says.
    public func evaluate(stage: PrincipleStage, _ context: ConstitutionContext) -> [PrincipleResult] {
        Principle.allCases.filter { $0.stage == stage }.map { principle in
            let (satisfied, message) = check(principle, context)
            return PrincipleResult(principle: principle.rawValue, stage: stage, satisfied: satisfied, message: message)
        }
    }

    /// The file that a fresh installation writes to `/etc/grace/constitution.yaml`.
    public static let defaultText = """
        # The constitution of this host. Root owns this file; approvals are bound to its digest.
        #
        # These principles always hold and can't be switched off. Any that fails blocks a mission:
        #
        #   on the evidence    reversible          what is done can be taken back
        #                      explained           what is done, and why, is said in words
        #                      measured            it was measured against an unchanged baseline
        #                      within_scope        it stays within the scope that was declared (change.touches)
        #                      hands_off_grace     Grace's own binaries, keys and policies are never touched
        #                      nothing_hidden      every command, denied call and network use is in the evidence
        #   at execution       approved_by_people  people approved it
        #                      fresh               the approval is fresh
        #                      unchanged           nothing changed since it was tested
        #
        # protected_paths adds paths that no mission may touch, as patterns: * and ? stay within one name, ** is any number of names.

        protected_paths: []
        # protected_paths: [/srv/payroll/**, /etc/machine-id]

        """
}
