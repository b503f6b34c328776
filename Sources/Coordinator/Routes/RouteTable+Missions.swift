internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Missions

extension RouteTable {
    static let missions: [Route] = [
        Route(
            method: .get, path: missionsPath, name: "listMissions", tag: "missions", summary: "Missions, newest first.",
            access: .role(.viewer),
            query: [
                parameter(
                    "phase", ["type": "string", "enum": .array(MissionPhase.allCases.map { .string($0.rawValue) })],
                    "Only missions in this phase."), limit, after,
            ],
            content: .json("MissionList"), refusals: [.unprocessableContent], handler: listMissions),
        Route(
            method: .post, path: missionsPath, name: "createMission", tag: "missions",
            summary:
                "Creates a mission: from a body in the mission file's form, or from a remedy of an enrolled agent with a title, a description and a rationale.",
            access: .role(.operator),
            query: [
                parameter("title", ["type": "string"], "With `remedy`: the mission's title."),
                parameter("description", ["type": "string"], "With `remedy`: the mission's description."),
                parameter("rationale", ["type": "string"], "With `remedy`: the mission's rationale."),
                parameter("remedy", ["type": "string"], "The name of a remedy that an agent brought."),
                parameter("host", ["type": "string"], "The host's name or id; needed where several would do."),
            ],
            body: .json("MissionFile", required: false, limit: 8 << 20), success: .created,
            content: .json("MissionCreated"),
            refusals: [.conflict, .unprocessableContent], handler: createMission),
        Route(
            method: .get, path: missionsPath + "/{mission_id}", name: "getMission", tag: "missions",
            summary: "One mission with its measurements. Counts as fetching its evidence.", access: .role(.viewer),
            content: .json("Mission"), handler: getMission),
    ]

    private static func listMissions(_ call: Call) async throws -> Response {
        var phase: MissionPhase?
        if let text = call.query["phase"] {
            guard let value = MissionPhase(rawValue: text) else {
                throw Refusal.invalid(
                    "“\(text.prefix(60))” is no phase; phases are \(MissionPhase.allCases.map(\.rawValue).joined(separator: ", "))."
                )
            }
            phase = value
        }
        let (limit, after) = try call.page()
        let wanted = phase
        let page = try await call.hub.store.read { try $0.missions(phase: wanted, limit: limit, after: after) }
        return .json([
            "total": .integer(Int64(page.total)),
            "missions": .array(page.missions.map { .object(MissionView.summary($0)) }),
            "next": page.next.map { .string(String($0)) } ?? .null,
        ])
    }

    private static func createMission(_ call: Call) async throws -> Response {
        let body = try await call.optionalJSON()
        let principal = try call.caller.principal
        let key = call.request.headers[.idempotencyKey]
        if let key, key.utf8.count > 200 { throw Refusal.invalid("The Idempotency-Key has more than 200 bytes.") }
        let file: MissionFile?
        switch body {
        case nil: file = nil
        case .object(let members)?:
            if ["title", "description", "rationale", "remedy"].contains(where: { call.query[$0] != nil }) {
                throw Refusal.invalid(
                    "Give either a mission as the body, or title, description, rationale and remedy in the query.")
            }
            if let inlined = members["file"], members.count == 1 {
                file = try MissionReading.read(inlined, profiles: call.hub.configuration.profiles)
            } else {
                file = try MissionReading.read(.object(members), profiles: call.hub.configuration.profiles)
            }
        default: throw Refusal.invalid("The body is JSON, but not an object; a mission is one.")
        }
        let query = call.query
        let answer: JSON = try await call.hub.change { transaction in
            if let key, let old = try transaction.writer.answer(scope: "missions/\(principal)", key: key) { return old }
            let mission: Mission
            if let file {
                let host = try transaction.chooseHost(query["host"], for: file)
                mission = try transaction.create(file: file, host: host, proposer: principal)
            } else {
                mission = try transaction.instantiate(query, proposer: principal)
            }
            let answer: JSON = [
                "success": true, "mission_id": .string(mission.id), "phase": .string(mission.phase.rawValue),
                "message": .string(
                    mission.host == nil
                        ? "The mission waits for an agent whose labels fit."
                        : "The mission waits for its host's agent to test it."),
            ]
            if let key {
                try transaction.writer.recordAnswer(
                    scope: "missions/\(principal)", key: key, answer: answer, at: transaction.now)
            }
            return answer
        }
        return .json(answer, status: .created)
    }

    private static func getMission(_ call: Call) async throws -> Response {
        let id = call.parameter("mission_id")
        let token = try call.caller
        let (mission, digest) = try await call.hub.fetchEvidence(of: id, token: token)
        return .json(try MissionView.detail(mission, evidenceDigest: digest))
    }
}

extension Hub {
    /// The mission with its evidence's digest, and a note that this token saw it.
    func fetchEvidence(of id: String, token: TokenRecord) async throws -> (Mission, Digest?) {
        try await closeExpiredSessions()
        let now = now
        let (mission, digest, seen) = try await store.read { reader in
            guard let mission = try reader.mission(id) else {
                throw Refusal.notFound("There is no mission \(id.prefix(80)).")
            }
            let digest = mission.evidence == nil ? nil : try reader.evidence(mission: id)?.digest
            return (mission, digest, try reader.fetchedEvidence(token: token.id, mission: id))
        }
        if let digest, digest != seen {
            try await store.write { try $0.recordFetch(token: token.id, mission: id, evidence: digest, at: now) }
        }
        return (mission, digest)
    }
}

extension MissionTransaction {
    /// A remedy's template with a person's words.
    func instantiate(_ query: Query, proposer: String) throws -> Mission {
        func text(_ key: String) throws -> String {
            guard let value = query[key], value.contains(where: { !$0.isWhitespace }) else {
                throw Refusal.invalid(
                    "Without a body a mission needs title, description, rationale and remedy in the query; “\(key)” is missing."
                )
            }
            guard value.utf8.count <= 16 << 10 else { throw Refusal.invalid("“\(key)” has more than 16384 bytes.") }
            return value
        }
        let (title, description, rationale, name) = (
            try text("title"), try text("description"), try text("rationale"), try text("remedy")
        )
        let hosts = try writer.hosts()
        let able = hosts.filter { host in
            host.remedies[name] != nil && (query["host"].map { $0 == host.id || $0 == host.identity.name } ?? true)
        }
        guard let host = able.first, var file = host.remedies[name] else {
            let known = Set(hosts.flatMap(\.remedies.keys)).sorted().joined(separator: ", ")
            throw Refusal.invalid(
                "No enrolled agent has the remedy “\(name.prefix(80))”. \(known.isEmpty ? "None brought any." : "Known: \(known).")"
            )
        }
        guard able.count == 1 else {
            throw Refusal.invalid(
                "Several hosts have that remedy (\(able.map(\.identity.name).joined(separator: ", "))): say which with “?host=”."
            )
        }
        (file.title, file.description, file.rationale) = (title, description, rationale)
        return try create(file: file, host: host.id, proposer: proposer)
    }
}

extension HTTPField.Name {
    static var idempotencyKey: HTTPField.Name { HTTPField.Name("Idempotency-Key") ?? .ifMatch }
    static var lastEventID: HTTPField.Name { HTTPField.Name("Last-Event-ID") ?? .ifMatch }
}
