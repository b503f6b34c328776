internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Linux
internal import Missions

/// What a person needs to judge a mission.
extension RouteTable {
    static let review: [Route] = [
        Route(
            method: .get, path: missionsPath + "/{mission_id}/evidence", name: "getEvidence", tag: "review",
            summary: "The agent's signed report: a DSSE envelope. Counts as fetching it.", access: .role(.viewer),
            content: .json("Evidence"), refusals: [.conflict], handler: evidence),
        Route(
            method: .get, path: missionsPath + "/{mission_id}/changes", name: "getChanges", tag: "review",
            summary: "The change set's manifest, the host's base, and a diff.", access: .role(.viewer),
            content: .json("Changes"), refusals: [.conflict], handler: changes),
        Route(
            method: .get, path: missionsPath + "/{mission_id}/blobs/{sha256}", name: "getMissionBlob", tag: "review",
            summary: "The content of a file that this mission changes.", access: .role(.viewer),
            content: .other(type: "application/octet-stream"), handler: blob),
        Route(
            method: .get, path: missionsPath + "/{mission_id}/statement", name: "getStatement", tag: "review",
            summary:
                "What to sign: the approval's in-toto statement, its DSSE pre-authentication encoding and the SSH namespace.",
            access: .role(.viewer),
            query: [
                parameter(
                    "decision", ["type": "string", "enum": ["approve", "reject", "abstain"], "default": "approve"],
                    "The decision the statement is to carry."),
                parameter("reason", ["type": "string"], "The reason it is to carry."),
            ],
            content: .json("Statement"), refusals: [.conflict, .unprocessableContent], handler: statement),
    ]

    private static func evidence(_ call: Call) async throws -> Response {
        let id = call.parameter("mission_id")
        _ = try await call.hub.fetchEvidence(of: id, token: try call.caller)
        let record = try await call.hub.store.read { reader in
            guard reader.isCurrent(id), let record = try reader.evidence(mission: id) else {
                throw Refusal.untested(id)
            }
            return record
        }
        var members = try JSON(encoding: record.envelope).object ?? [:]
        members["mission_id"] = .string(id)
        members["digest"] = .string(record.digest.hex)
        members["at"] = .string(Timestamp.text(record.at))
        members["statement"] = try JSON(parsing: record.envelope.payload)
        return .json(.object(members))
    }

    private static func changes(_ call: Call) async throws -> Response {
        let id = call.parameter("mission_id")
        let record = try await call.hub.store.read { reader in
            guard try reader.mission(id) != nil else { throw Refusal.notFound("There is no mission \(id.prefix(80)).") }
            guard let record = try reader.changes(mission: id) else { throw Refusal.untested(id) }
            return record
        }
        return .json([
            "mission_id": .string(id), "digest": .string(record.digest.hex),
            "base_digest": .string(record.baseDigest.hex),
            "manifest": .string(record.manifest.base64EncodedString()),
            "base": .string(record.base.base64EncodedString()),
            "diff": .string(record.diff),
        ])
    }

    private static func blob(_ call: Call) async throws -> Response {
        let id = call.parameter("mission_id")
        let digest = try call.digest("sha256")
        let record = try await call.hub.store.read { reader in
            guard let changes = try reader.changes(mission: id),
                String(decoding: changes.manifest, as: UTF8.self).contains(digest.hex),
                let record = try reader.blob(digest)
            else { throw Refusal.notFound("The mission \(id.prefix(80)) has no blob \(digest).") }
            return record
        }
        return try call.hub.blobs.response(record)
    }

    private static func statement(_ call: Call) async throws -> Response {
        let id = call.parameter("mission_id")
        _ = try await call.hub.fetchEvidence(of: id, token: try call.caller)
        return .json(
            try await call.hub.statement(
                mission: id, decision: call.query["decision"] ?? "approve", reason: call.query["reason"] ?? "",
                token: try call.caller))
    }
}

extension StoreReader {
    /// Whether the mission's evidence is of its present test, not of one that a re-test put aside.
    func isCurrent(_ id: String) -> Bool { (try? mission(id)?.evidence) != nil }
}

extension Refusal {
    static func untested(_ id: String) -> Refusal {
        .conflict(
            "no-evidence", "The mission \(id.prefix(80)) has no evidence yet: its agent has not finished testing it.")
    }
}

extension BlobFiles {
    /// The blob as a stream of 256 KiB pieces.
    func response(_ record: BlobRecord) throws -> Response {
        let descriptor = try Files.open(path(record.digest), flags: 0)
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = "attachment"
        let body = ResponseBody(contentLength: Int(record.size)) { writer in
            var offset: Int64 = 0
            while offset < record.size {
                let piece = try Files.pread(descriptor, count: 256 << 10, offset: offset)
                guard !piece.isEmpty else { break }
                offset += Int64(piece.count)
                try await writer.write(ByteBuffer(bytes: piece))
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}
