import Agent
import Documents
import Fork
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Local
import Promotion

/// Brings a fork's changes to live through the promotion journal: conflict-checked, all of it or nothing, and taken back by
/// `grace try rollback ID`. It is the act of the person at the keyboard, with that person's own rights.
struct TryCommit {
    let places: Places
    /// Seconds after which a commit's displaced files may go; they do with the next commit.
    private static let undoable: TimeInterval = 86_400

    /// - Throws: ``Failure`` where this host's `agent.yaml` says `try: forbidden`, or can't be read: then nobody knows.
    func checkAllowed() throws {
        guard try Files.status(places.agentFile) != nil else { return }
        let text = try Files.readString(places.agentFile)
        let isBlank = text.split(separator: "\n").allSatisfy { $0.drop { $0 == " " }.first.map { $0 == "#" } ?? true }
        let settings = try AgentConfiguration.parse(
            file: places.agentFile, text: isBlank ? "{}" : text, hostName: "host", defaultTokenFile: "")
        guard settings.allowsTry else {
            throw Failure(
                "This host does not let grace try commit to live (try: forbidden in \(places.agentFile)); nothing was changed. Keep the fork with -n and submit it: grace try propose DIR MISSION.",
                code: 1)
        }
    }

    func commit(_ fork: TryFork, _ filter: PathFilter) async throws {
        var (changes, contents) = try fork.changes(filter)
        // It is thrown away in the end, so its own files may become live, and need not be copied.
        try fork.giveAway(&contents)
        try await commit(fork, changes, contents)
    }

    /// Commits `changes`, of the fork's own. A fork in a directory that `try` made is removed.
    func commit(_ fork: TryFork, _ changes: ChangeSet, _ contents: LayerContents) async throws {
        try checkAllowed()
        guard !changes.isEmpty else {
            if fork.isOwnDirectory { try fork.discard() }
            return
        }
        let base = try fork.fork.base(of: changes, in: contents)
        let promoter = try promoter(fork.blobs)
        var bytes = SystemRandomNumberGenerator()
        let id = "try-\(String(UInt32.random(in: .min ... .max, using: &bytes), radix: 36))-\(getpid())"
        let progress = TryProgress("committing \(changes.changes.count) changes")
        defer { progress.stop() }
        if contents.isGivenAway { try fork.beginGiving() }
        do {
            try await waiting { () async throws -> Void in
                // What an earlier commit left half-done is settled first.
                _ = try await promoter.recover()
                let result = try await promoter.commit(id: id, changeSet: changes, base: base, contents: contents)
                if result.unleased > 0 {
                    Terminal.error(
                        "\(result.unleased) files lie on a file system that gives no leases; they were compared again after the exchange instead"
                    )
                }
            }
            try? promoter.purgeCommits(before: Date(timeIntervalSinceNow: -Self.undoable))
        } catch let error as PromotionError {
            // Unless it is unknown what became of live, no file of the fork's has another name any more.
            if contents.isGivenAway, !error.isOpen { try? fork.endGiving() }
            throw Failure("couldn't commit \(fork.directory): \(error)", code: 1)
        }
        Terminal.error("committed; to take it back: grace try rollback \(id)")
        if fork.isOwnDirectory { try fork.discard() }
    }

    /// Takes a commit back, with a conflict check of its own.
    func rollback(_ id: String) async throws -> Int32 {
        guard id.hasPrefix("try-") else {
            throw Failure("“\(id)” is no commit of grace try; missions are taken back by grace rollback.", code: 2)
        }
        let promoter = try promoter(BlobStore(root: places.blobs))
        let result = try await waiting { try await promoter.rollback(id: id) }
        guard case .frozen(let conflicts) = result else {
            Terminal.error("\(id) is taken back")
            return 0
        }
        Terminal.error("\(id) is not taken back, since live moved on; nothing was touched:")
        for conflict in conflicts { Terminal.error("  \(conflict)") }
        return 1
    }

    /// One promotion at a time on a host, the agent's included: waits up to a minute for the others.
    private func waiting<T>(_ body: () async throws -> T) async throws -> T {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await body()
            } catch PromotionError.busy where ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func promoter(_ blobs: BlobStore) throws -> Promoter {
        let uid = String(geteuid())
        return Promoter(
            root: "/", state: places.promotions, blobs: blobs,
            record: { [places] kind, body in
                var entry: [String: JSON] = [:]
                if case .object(let members) = body { entry = members }
                entry["by"] = .string("grace try, uid \(uid)")
                try Self.append(places, "try.\(kind)", .object(entry))
            })
    }

    /// Enters an act in the agent's own journal, or, where there is none or a running agent holds it, in that of `grace try`.
    /// Both are signed and chained; promoters have one lock, so that nobody else writes the latter meanwhile.
    private static func append(_ places: Places, _ kind: String, _ body: JSON) throws {
        if (try? Files.status(places.agentKey)) != nil, (try? Files.status(places.journal)) != nil {
            do {
                let key = try SigningKey.loadOrCreate(path: places.agentKey, name: "grace-agent")
                try Journal(directory: places.journal, key: key, name: "agent").append(kind: kind, body: body)
                return
            } catch LedgerError.locked {}
        }
        let own = places.state + "/try"
        try Files.makeDirectory(own, mode: 0o700, intermediate: true)
        let key = try SigningKey.loadOrCreate(path: own + "/try.key", name: "grace-try")
        try Journal(directory: own + "/journal", key: key, name: "try").append(kind: kind, body: body)
    }
}
