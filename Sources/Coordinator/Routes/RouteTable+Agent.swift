internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Missions

/// What agents use.
extension RouteTable {
    static let agent: [Route] = [
        Route(
            method: .post, path: "/api/agent/hosts", name: "enrol", tag: "agent",
            summary: "Enrols a host. The first key wins for a token; the same enrolment again only refreshes it.",
            access: .role(.agent), body: .json("Enrolment", limit: 8 << 20), content: .json("Enrolled"),
            refusals: [.conflict, .unprocessableContent], handler: enrol),
        Route(
            method: .get, path: "/api/agent/missions", name: "getWork", tag: "agent",
            summary: "The host's open missions, unassigned ones that fit it, and what people ask of it.",
            access: .role(.agent),
            query: [
                parameter("host", ["type": "string"], "The host's id, as enrolled with this token.", required: true)
            ],
            content: .json("Work"), refusals: [.unprocessableContent], handler: work),
        Route(
            method: .post, path: "/api/agent/missions", name: "proposeMission", tag: "agent",
            summary: "A detector's mission; nothing new while one with the same key is open or in its cool-down.",
            access: .role(.agent), body: .json("Proposal", limit: 8 << 20), content: .json("Proposed"),
            refusals: [.conflict, .unprocessableContent], handler: propose),
        Route(
            method: .get, path: "/api/agent/missions/{mission_id}", name: "getAgentMission", tag: "agent",
            summary: "A mission with its session.", access: .role(.agent), content: .json("AgentMission"),
            handler: mission),
        Route(
            method: .post, path: "/api/agent/missions/{mission_id}/events", name: "reportEvent", tag: "agent",
            summary: "Reports what happened. The same event_id again gets the same answer.", access: .role(.agent),
            body: .json("EventReport"), content: .json("Phase"),
            refusals: [.conflict, .unprocessableContent, .serviceUnavailable], handler: event),
        Route(
            method: .post, path: "/api/agent/missions/{mission_id}/progress", name: "reportProgress", tag: "agent",
            summary: "Tells whoever listens now; nothing is kept.", access: .role(.agent), body: .json("Progress"),
            content: .json("Empty"), refusals: [.unprocessableContent], handler: progress),
        Route(
            method: .put, path: "/api/agent/missions/{mission_id}/evidence", name: "putEvidence", tag: "agent",
            summary: "The signed report of a trial.", access: .role(.agent), body: .json("Envelope", limit: 8 << 20),
            content: .json("Stored"), refusals: [.conflict, .unprocessableContent], handler: evidence),
        Route(
            method: .put, path: "/api/agent/missions/{mission_id}/changes", name: "putChanges", tag: "agent",
            summary: "The change set, the base and a diff.", access: .role(.agent),
            body: .json("ChangesUpload", limit: 64 << 20),
            content: .json("Stored"), refusals: [.conflict, .unprocessableContent], handler: changes),
        Route(
            method: .put, path: "/api/agent/blobs/{sha256}", name: "putBlob", tag: "agent",
            summary: "A blob's bytes; they must have that digest.", access: .role(.agent), body: .bytes,
            content: .json("Stored"), refusals: [.unprocessableContent], handler: blob),
        Route(
            method: .get, path: "/api/agent/missions/{mission_id}/authorization", name: "getAuthorization",
            tag: "agent",
            summary: "What the agent verifies before it promotes: approvals, overrides, ledger entries and proofs.",
            access: .role(.agent),
            query: [
                parameter(
                    "known", ["type": "string"],
                    "The size of the newest checkpoint the agent has verified; a proof from it is added.")
            ],
            content: .json("Authorization"), refusals: [.conflict, .unprocessableContent], handler: authorization),
        Route(
            method: .post, path: "/api/agent/journal", name: "appendJournal", tag: "agent",
            summary: "The agent's signed journal, in order; each entry becomes a leaf of the ledger.",
            access: .role(.agent),
            body: .json("JournalUpload", limit: 8 << 20), content: .json("JournalAnswer"),
            refusals: [.conflict, .unprocessableContent], handler: journal),
        Route(
            method: .get, path: "/api/agent/pause", name: "getAgentPause", tag: "agent",
            summary: "Whether Grace is paused.",
            access: .role(.agent), content: .json("Pause"), handler: getPause),
    ]

    /// The host that this token enrolled.
    static func host(_ call: Call) throws -> String {
        guard let host = try call.caller.hostID else {
            throw Refusal.forbidden("No host is enrolled with this token: POST /api/agent/hosts first.")
        }
        return host
    }

    private static func enrol(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let identity = try call.decode(HostIdentity.self, body["identity"], "identity")
        let text = try call.text(body, "public_key", limit: 1000)
        let remedies = try body["remedies"].map { try call.decode([String: MissionFile].self, $0, "remedies") } ?? [:]
        do {
            _ = try VerifyingKey(parsing: text)
        } catch {
            throw Refusal.invalid("“public_key” is no verifier key: \(error)")
        }
        let token = try call.caller
        try await call.hub.change { try $0.enrol(identity, key: text, remedies: remedies, token: token) }
        let threshold = thresholdJSON(
            try await call.hub.store.read { try $0.setting(Setting.trustThreshold) }, call.hub.configuration)
        let key = call.hub.ledger.publicKey
        return .json([
            "ledger_origin": .string(key.name), "ledger_key": .string(key.string),
            "trust_threshold": threshold["threshold"] ?? .null, "threshold_act": threshold["act"] ?? .null,
            "server_time": .string(Timestamp.text(call.hub.now)),
        ])
    }

    private static func work(_ call: Call) async throws -> Response {
        let id = try host(call)
        guard let asked = call.query["host"] else { throw Refusal.invalid("The query parameter “host” is missing.") }
        guard asked == id else { throw Refusal.forbidden("This token's host is \(id), not \(asked.prefix(80)).") }
        try await call.hub.closeExpiredSessions()
        let now = call.hub.now
        let (missions, requests) = try await call.hub.store.write { writer in
            try writer.touch(host: id, at: now)
            guard let host = try writer.host(id) else { return ([Mission](), [RequestRecord]()) }
            let open = try writer.openMissions().filter { mission in
                mission.host.map { $0 == id } ?? host.identity.carries(mission.file.host.labels)
            }
            // A request nobody answers is repeated for an hour; agents take a repeated one for the same.
            let requests = try writer.requests(host: id, since: now.addingTimeInterval(-3600))
            let known = Set(open.map(\.id))
            let asked = try Set(requests.map(\.missionID)).subtracting(known).compactMap { try writer.mission($0) }
            return (open + asked.filter { $0.host == id }, requests)
        }
        return .json([
            "missions": .array(try missions.map { try JSON(encoding: $0) }),
            "requests": .array(
                try requests.map { request in
                    [
                        "request_id": .string(request.id), "mission_id": .string(request.missionID),
                        "kind": .string(request.kind), "by": .string(request.by), "reason": .string(request.reason),
                        "act": try request.act.map { try JSON(encoding: $0) } ?? .null,
                    ]
                }),
        ])
    }

    private static func propose(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let id = try host(call)
        let file = try call.decode(MissionFile.self, body["file"], "file")
        let proposer = try call.text(body, "proposer", limit: 200)
        let key = try call.text(body, "dedupe_key", limit: 500)
        guard proposer.hasPrefix("detector:") else {
            throw Refusal.invalid(
                "“proposer” reads detector:NAME: an agent speaks for its detectors and for nobody else.")
        }
        let (mission, created) = try await call.hub.change {
            try $0.propose(file: file, host: id, proposer: proposer, dedupeKey: key)
        }
        return .json([
            "mission_id": .string(mission.id), "created": .bool(created), "phase": .string(mission.phase.rawValue),
        ])
    }

    private static func mission(_ call: Call) async throws -> Response {
        let (id, own) = (call.parameter("mission_id"), try host(call))
        try await call.hub.closeExpiredSessions()
        let (mission, session) = try await call.hub.store.read { reader in
            let mission = try reader.mission(id, for: own)
            return (mission, try mission.sessionID.flatMap { try reader.session($0) })
        }
        return .json(["mission": try JSON(encoding: mission), "session": session?.document ?? .null])
    }

    private static func event(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let (id, own, token) = (call.parameter("mission_id"), try host(call), try call.caller)
        let key = try call.text(body, "event_id", limit: 200)
        let name = try call.text(body, "event", limit: 100)
        guard let event = MissionEvent(rawValue: name) else {
            throw Refusal.invalid(
                "“\(name)” is no event; events are \(MissionEvent.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        let why = try call.optionalText(body, "reason") ?? ""
        let facts = body["body"]?.object ?? [:]
        try await call.hub.closeExpiredSessions()
        let answer = try await call.hub.change {
            try $0.report(
                event, id: key, mission: id, host: own, by: "agent:\(token.principal)", reason: why, facts: facts)
        }
        return .json(answer)
    }

    private static func progress(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let (id, own) = (call.parameter("mission_id"), try host(call))
        _ = try await call.hub.store.read { try $0.mission(id, for: own) }
        let stage = try call.text(body, "stage", limit: 200)
        let text = try call.optionalText(body, "text") ?? ""
        await call.hub.mesh.fleeting(
            topic: "mission.progress", mission: id, at: call.hub.now,
            body: [
                "event": "progress", "mission_id": .string(id), "stage": .string(stage), "text": .string(text),
                "body": body["body"] ?? .null,
            ])
        return .json([:])
    }

    private static func evidence(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let (id, own) = (call.parameter("mission_id"), try host(call))
        let envelope: Envelope
        do {
            envelope = try body.decode(Envelope.self)
        } catch {
            throw Refusal.invalid("The body is no DSSE envelope. \(error)")
        }
        let digest = try await call.hub.change { try $0.store(evidence: envelope, of: id, host: own) }
        return .json(["digest": .string(digest.hex)])
    }

    private static func changes(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let (id, own) = (call.parameter("mission_id"), try host(call))
        guard let manifest = body["manifest"]?.string.flatMap({ Data(base64Encoded: $0) }),
            let base = body["base"]?.string.flatMap({ Data(base64Encoded: $0) })
        else { throw Refusal.invalid("“manifest” and “base” are needed, in base64.") }
        let diff = try call.optionalText(body, "diff", limit: 32 << 20) ?? ""
        let digest = try await call.hub.change { transaction in
            try transaction.store(manifest: manifest, base: base, diff: diff, of: id, host: own)
        }
        return .json(["digest": .string(digest.hex)])
    }

    private static func blob(_ call: Call) async throws -> Response {
        let digest = try call.digest("sha256")
        _ = try host(call)
        let incoming = try call.hub.blobs.incoming()
        do {
            try await call.stream(limit: call.hub.configuration.blobLimit) { try incoming.write($0) }
        } catch {
            incoming.discard()
            throw error
        }
        let found = try incoming.keep(as: digest)
        guard found == digest else {
            throw Refusal.invalid("The bytes have the digest \(found), not \(digest). Nothing was kept.")
        }
        let (size, now) = (Int64(incoming.size), call.hub.now)
        try await call.hub.store.write { try $0.save(BlobRecord(digest: digest, size: size, at: now)) }
        return .json(["digest": .string(digest.hex)])
    }

    private static func authorization(_ call: Call) async throws -> Response {
        let (id, own) = (call.parameter("mission_id"), try host(call))
        try await call.hub.closeExpiredSessions()
        await call.hub.ledger.drain()
        return .json(
            try await call.hub.authorization(of: id, host: own, known: call.query["known"].flatMap { UInt64($0) }))
    }

    private static func journal(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let own = try host(call)
        let entries = try call.decode([JournalEntry].self, body["entries"], "entries")
        guard entries.count <= 1000 else {
            throw Refusal.invalid("At most 1,000 entries at once, not \(entries.count).")
        }
        let last = try await call.hub.change { try $0.append(journal: entries, of: own) }
        return .json([
            "last_sequence": last.map { .integer($0.index) } ?? .null,
            "index": last.map { .integer($0.logIndex) } ?? .null,
            "checkpoint": .string(await call.hub.ledger.checkpoint.note),
        ])
    }
}
