internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Sandbox

/// What is said of a `grace run` besides its exit code.
struct RunReport: Equatable {
    /// The run's figures, a line of JSON; empty where nobody asked.
    var figures = ""
    /// What it did without, and which limit it ran into.
    var sentences: [String] = []

    init(
        exit: ProcessExit, outcome: SandboxOutcome, fallbacks: [FeatureStatus], elapsed: Double, profile: Profile,
        withFigures: Bool
    ) {
        if withFigures {
            // Both are plain values: they are always encodable.
            let end = (try? JSON(encoding: outcome)) ?? .null
            let without = (try? JSON(encoding: fallbacks)) ?? .null
            figures =
                JSON.object([
                    "exit_code": .integer(Int64(exit.shellCode)), "duration_seconds": .number(elapsed), "outcome": end,
                    "fallbacks": without, "profile": .string(profile.name),
                ]).canonicalText + "\n"
        }
        sentences = fallbacks.map { "this sandbox did without \($0.feature.rawValue): \($0.detail)" }
        if let breach = outcome.breach { sentences.append(breach.sentence(profile.limits)) }
    }

    /// Where the caller wants it, and on standard error.
    func deliver(_ options: RunOptions) throws {
        if let kpi = options.kpi { try ReportFile.write(Data(figures.utf8), to: kpi.absolute) }
        if options.json { FileHandleless.write(figures, to: STDERR_FILENO) }
        for sentence in sentences { Terminal.error(sentence) }
    }

    // MARK: From one process to another

    /// `nil`: there is nothing to say.
    var data: Data? {
        guard !figures.isEmpty || !sentences.isEmpty else { return nil }
        return JSON.object([
            "figures": .string(figures), "sentences": .array(sentences.map { .string($0) }),
        ]).canonical
    }

    /// Reads ``data``.
    init(_ data: Data?) throws {
        guard let data else { return }
        guard case .object(let keys) = try JSON(parsing: data), case .string(let figures)? = keys["figures"],
            case .array(let sentences)? = keys["sentences"]
        else { throw JSONError("The agent's report of the run was written by another version of Grace.") }
        self.figures = figures
        self.sentences = sentences.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }
}
