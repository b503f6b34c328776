internal import Documents
public import Fork
public import FoundationEssentials
public import Ledger
internal import Linux
public import Measurement
internal import Missions

/// What the agent keeps of one mission on its own disk, below `STATE/agent/missions/ID`: enough to go on after a kill at any
/// instruction, and the agent's own copy of what people vote on.
public struct MissionFolder: Sendable {
    public let path: String

    public init(root: String, id: String) throws {
        guard !id.isEmpty, id.utf8.allSatisfy({ Self.safe.contains($0) }) else {
            throw AgentError(
                "The mission's id “\(id.prefix(80))” has characters that ids never have; the coordinator is not to be trusted."
            )
        }
        path = root + "/" + id
        try Files.makeDirectory(path, mode: 0o700, intermediate: true)
    }

    private static let safe = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)

    /// The recorded blocks of the trial, in order. A torn last line (a kill while writing) is dropped: that block runs again.
    public func blocks() throws -> [Block] {
        // A record that can't be read is an error: going on without it would be a fresh trial of the same mission.
        guard let bytes = try data("blocks.jsonl") else { return [] }
        var blocks: [Block] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        for (index, line) in lines.enumerated() {
            do {
                blocks.append(try JSON(parsing: Data(line)).decode())
            } catch {
                if index == lines.count - 1, bytes.last != UInt8(ascii: "\n") { break }
                throw AgentError(
                    "\(path)/blocks.jsonl, line \(index + 1), is damaged (\(error)). The trial can't go on from it; ask for a new test."
                )
            }
        }
        return blocks
    }

    public func record(_ block: Block, all: [Block]) throws {
        let text = try (all + [block]).map { try JSON(encoding: $0).canonicalText + "\n" }.joined()
        try Files.writeAtomically(path + "/blocks.jsonl", Data(text.utf8), mode: 0o600)
    }

    /// The blocks of the trial that were given up for live's sake.
    public func cutShort() throws -> [CutShort] { try value("cut.json") ?? [] }

    public func write(_ name: String, _ data: Data) throws {
        try Files.writeAtomically(path + "/" + name, data, mode: 0o600)
    }

    public func write(_ name: String, _ value: some Encodable) throws {
        try write(name, try JSON(encoding: value).canonical)
    }

    /// The file's content, `nil` when there is none.
    public func data(_ name: String) throws -> Data? {
        guard try Files.status(path + "/" + name) != nil else { return nil }
        return try Files.read(path + "/" + name)
    }

    public func value<T: Decodable>(_ name: String, as type: T.Type = T.self) throws -> T? {
        try data(name).map { try JSON(parsing: $0).decode() }
    }

    public func remove(_ name: String) throws {
        if try Files.status(path + "/" + name) != nil { try Files.removeTree(path + "/" + name) }
    }

    /// What the sandboxes' filters denied so far.
    static let denied = "denied.json"
    /// Whom the sandboxes reached so far, and were refused.
    static let network = "network.json"
    /// The limits that sandboxes ran into so far.
    static let limits = "limits.json"

    /// Forgets the trial: what `retest` does before a fresh test against live as it is now.
    public func forgetTest() throws {
        for name in [
            "blocks.jsonl", "cut.json", "evidence.json", "manifest.json", "base.json", "diff.txt", "prepared.json",
            Self.denied, Self.network, Self.limits,
        ] {
            try remove(name)
        }
    }

    public var evidence: Envelope? { get throws { try value("evidence.json") } }
    public var changeSet: ChangeSet? {
        get throws { try data("manifest.json").map { try ChangeSet.parse(manifest: $0) } }
    }
    public var base: Base? { get throws { try data("base.json").map { try Base.parse($0) } } }
}

/// What went wrong in the agent, as a sentence.
public struct AgentError: Error, CustomStringConvertible, Sendable, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
