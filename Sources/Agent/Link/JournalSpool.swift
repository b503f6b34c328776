internal import FoundationEssentials
internal import Ledger
internal import Linux

/// Sends the agent's journal to the coordinator's ledger, in order, whenever it can be reached.
public actor JournalSpool {
    private let journal: Journal
    private let link: any CoordinatorLink
    private let file: String
    /// How many entries the coordinator has confirmed as leaves of its ledger.
    private var confirmed: UInt64

    init(journal: Journal, link: any CoordinatorLink, state: String) {
        self.journal = journal
        self.link = link
        self.file = state + "/journal.sent"
        self.confirmed = (try? Files.readString(file)).flatMap { UInt64($0.split(separator: "\n").first ?? "") } ?? 0
    }

    func run() async throws {
        while !Task.isCancelled {
            _ = try? await flush()
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Sends what is not confirmed yet; throws when the coordinator did not take it. A promotion demands this first.
    func flush() async throws {
        guard confirmed <= journal.count else {
            throw AgentError(
                "The coordinator has confirmed \(confirmed) entries of the agent's journal, and \(journal.path) holds \(journal.count): "
                    + "lines were taken away. Nothing is promoted; restore the file, or, if it was replaced on purpose, remove \(file)."
            )
        }
        while confirmed < journal.count {
            let entries = try journal.entries(from: confirmed, limit: 200)
            guard let last = entries.last else { return }
            let answer = try await link.append(entries)
            guard answer.last_sequence >= last.index else {
                throw AgentError(
                    "The coordinator confirmed the agent's journal up to \(answer.last_sequence) only; \(last.index) was sent."
                )
            }
            // Two flushes may overlap; the later one's word stands.
            confirmed = max(confirmed, last.index + 1)
            try? Files.writeAtomically(file, Data("\(confirmed)\n".utf8), mode: 0o600)
        }
    }
}
