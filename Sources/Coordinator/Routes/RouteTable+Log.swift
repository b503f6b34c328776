internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Linux

/// The ledger.
extension RouteTable {
    static let log: [Route] = [
        Route(
            method: .get, path: "/api/log/entries", name: "listLogEntries", tag: "ledger",
            summary: "Entries in order, with their indexes.", access: .role(.viewer),
            query: [
                limit,
                parameter(
                    "after", ["type": "string"], "The index after which to begin; the `next` of the page before."),
                parameter("mission", ["type": "string"], "Only entries of this mission."),
            ],
            content: .json("LogEntries"), refusals: [.unprocessableContent], handler: entries),
        Route(
            method: .get, path: "/api/log/verify", name: "verifyLog", tag: "ledger",
            summary: "Recomputes the whole log from its files.", access: .role(.viewer),
            content: .json("LogVerification"),
            handler: verify),
        Route(
            method: .get, path: "/api/log/prove/{index}", name: "proveLogEntry", tag: "ledger",
            summary: "An entry with the proof that the checkpoint covers it.", access: .role(.viewer),
            content: .json("LogProof"), handler: prove),
        Route(
            method: .get, path: "/ledger/{path...}", name: "getLedgerFile", tag: "ledger",
            summary: "The log's files as C2SP tlog-tiles lays them out: `checkpoint`, `tile/…`, `tile/entries/…`.",
            access: .ledger, content: .other(type: "application/octet-stream"), handler: file),
    ]

    static func entryJSON(_ leaf: Data, index: Int64, texts: [Digest: TextCommitment]) throws -> JSON {
        let entry = try LedgerEntry(leaf: leaf)
        return [
            "index": .integer(index), "leaf_hash": .string(MerkleHash.leaf(leaf).hex), "id": .string(entry.id),
            "kind": .string(entry.kind), "mission": MissionView.text(entry.mission),
            "at": .string(Timestamp.text(entry.at)),
            "actor": .string(entry.actor), "body": entry.body,
            "text": MissionView.text(entry.text.flatMap { texts[$0]?.text }),
            "text_commitment": MissionView.text(entry.text?.hex),
        ]
    }

    private static func entries(_ call: Call) async throws -> Response {
        let (limit, after) = try call.page()
        let mission = call.query["mission"]
        let size = Int64(await call.hub.ledger.checkpoint.size)
        let (rows, texts) = try await call.hub.store.read { reader in
            let first = (after ?? -1) + 1
            let rows =
                if let mission {
                    Array(try reader.ledgerRows(mission: mission).filter { $0.index >= first }.prefix(limit + 1))
                } else {
                    try reader.ledgerRows(from: first, limit: limit + 1)
                }
            // What is not in the log yet is not shown as if it were.
            let logged = rows.filter { $0.index < size }
            var texts: [Digest: TextCommitment] = [:]
            for row in logged {
                if let digest = try LedgerEntry(leaf: row.leaf).text { texts[digest] = try reader.text(digest) }
            }
            return (logged, texts)
        }
        let shown = rows.prefix(limit)
        return .json([
            "total": .integer(size),
            "entries": .array(try shown.map { try entryJSON($0.leaf, index: $0.index, texts: texts) }),
            "next": rows.count > limit ? shown.last.map { .string(String($0.index)) } ?? .null : .null,
        ])
    }

    private static func verify(_ call: Call) async throws -> Response {
        let ledger = call.hub.ledger
        let report = try await Threads.run("verify") { try ledger.verify() }
        return .json([
            "intact": .bool(report.isIntact), "entries": .integer(Int64(report.entries)),
            "tiles": .integer(Int64(report.tiles)), "root": .string(report.checkpoint.root.hex),
            "checkpoint": .string(report.checkpoint.note), "key": .string(ledger.publicKey.string),
            "problems": .array(report.problems.map(JSON.string)),
        ])
    }

    private static func prove(_ call: Call) async throws -> Response {
        let text = call.parameter("index")
        guard let index = UInt64(text), index < (await call.hub.ledger.checkpoint.size) else {
            throw Refusal.notFound("The log has no entry \(text.prefix(40)).")
        }
        let proof = try await call.hub.ledger.proofs(indexes: [index], from: [])
        let leaf = try await call.hub.ledger.entries(index..<index + 1).first ?? Data()
        return .json([
            "index": .integer(Int64(index)), "leaf": .string(leaf.base64EncodedString()),
            "proof": .array((proof.inclusion.first ?? []).map { .string($0.hex) }),
            "checkpoint": .string(proof.checkpoint.note), "key": .string(call.hub.ledger.publicKey.string),
        ])
    }

    private static func file(_ call: Call) async throws -> Response {
        let path = call.parameter("path")
        guard isTilePath(path) else {
            throw Refusal.notFound(
                "The ledger has “checkpoint”, “tile/<level>/<index>” and “tile/entries/<index>”; not “\(path.prefix(100))”."
            )
        }
        let whole = call.hub.ledger.directory + "/" + path
        guard try Files.status(whole)?.isFile == true else {
            throw Refusal.notFound("The ledger has no \(path.prefix(100)).")
        }
        let type = path == "checkpoint" ? "text/plain; charset=utf-8" : "application/octet-stream"
        return .bytes(try Files.read(whole), type: type)
    }

    /// Digits, `x` and `.p` only: nothing that leaves the directory.
    static func isTilePath(_ path: String) -> Bool {
        if path == "checkpoint" { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts.count <= 12, parts[0] == "tile" else { return false }
        guard parts[1] == "entries" || Int(parts[1]).map({ (0..<64).contains($0) }) == true else { return false }
        return parts[2...].allSatisfy { part in
            var digits = part
            if digits.first == "x" { digits = digits.dropFirst() }
            if digits.hasSuffix(".p") { digits = digits.dropLast(2) }
            return !digits.isEmpty && digits.count <= 3 && digits.utf8.allSatisfy { (48...57).contains($0) }
        }
    }
}
