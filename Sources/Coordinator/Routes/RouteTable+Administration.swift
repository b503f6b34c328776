internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Missions

/// Tokens, hosts, pause, threshold.
extension RouteTable {
    static let administration: [Route] = [
        Route(
            method: .get, path: "/api/tokens", name: "listTokens", tag: "administration",
            summary: "Tokens without their secrets.", access: .role(.admin), content: .json("TokenList"),
            handler: tokens),
        Route(
            method: .post, path: "/api/tokens", name: "createToken", tag: "administration",
            summary: "Makes a token. It is shown once, here, and never again.", access: .role(.admin),
            body: .json("TokenRequest"), success: .created, content: .json("TokenCreated"),
            refusals: [.unprocessableContent],
            handler: createToken),
        Route(
            method: .delete, path: "/api/tokens/{token_id}", name: "revokeToken", tag: "administration",
            summary: "Revokes a token at once.", access: .role(.admin), content: .json("Done"), refusals: [.conflict],
            handler: revokeToken),
        Route(
            method: .get, path: "/api/whoami", name: "whoami", tag: "administration", summary: "Whose token this is.",
            access: .anyToken, content: .json("Identity"), handler: whoami),
        Route(
            method: .get, path: "/api/hosts", name: "listHosts", tag: "administration", summary: "Enrolled hosts.",
            access: .role(.viewer), content: .json("HostList"), handler: hosts),
        Route(
            method: .get, path: "/api/pause", name: "getPause", tag: "administration",
            summary: "Whether Grace is paused.",
            access: .anyToken, content: .json("Pause"), handler: getPause),
        Route(
            method: .post, path: "/api/pause", name: "pause", tag: "administration",
            summary: "Stops proposals, trials and promotions everywhere, until it is resumed.",
            access: .role(.operator),
            body: .json("PauseRequest"), content: .json("Pause"), refusals: [.unprocessableContent], handler: pause),
        Route(
            method: .post, path: "/api/resume", name: "resume", tag: "administration", summary: "Ends a pause.",
            access: .role(.operator), query: [reason], body: .json("ReasonRequest", required: false),
            content: .json("Pause"),
            refusals: [.unprocessableContent], handler: resume),
        Route(
            method: .get, path: "/api/trust/threshold", name: "getThreshold", tag: "administration",
            summary: "The trust a mission needs. An agent's own file rules on its host.", access: .anyToken,
            content: .json("Threshold"), handler: getThreshold),
        Route(
            method: .put, path: "/api/trust/threshold", name: "setThreshold", tag: "administration",
            summary: "Sets the trust a mission needs, by a signed act (namespace policy@grace).", access: .role(.admin),
            body: .json("ThresholdRequest"), content: .json("Threshold"), refusals: [.unprocessableContent],
            handler: setThreshold),
    ]

    private static func tokenJSON(_ token: TokenRecord) -> JSON {
        [
            "token_id": .string(token.id), "principal": .string(token.principal), "role": .string(token.role.rawValue),
            "source": .string(token.source.rawValue), "created_at": .string(Timestamp.text(token.createdAt)),
            "revoked_at": MissionView.time(token.revokedAt), "host": MissionView.text(token.hostID),
        ]
    }

    private static func tokens(_ call: Call) async throws -> Response {
        .json(["tokens": .array(try await call.hub.store.read { try $0.tokens() }.map(tokenJSON))])
    }

    private static func createToken(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let principal = try call.text(body, "principal", limit: 200)
        let name = try call.text(body, "role", limit: 40)
        guard let role = Role(rawValue: name) else {
            throw Refusal.invalid(
                "“\(name)” is no role; roles are \(Role.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        var random = SystemRandomNumberGenerator()
        let secret = (0..<4).reduce(into: Data()) { data, _ in
            withUnsafeBytes(of: random.next() as UInt64) { data.append(contentsOf: $0) }
        }
        let text = "grace_" + secret.base64URL
        let by = try call.caller.principal
        let token = try await call.hub.change { transaction in
            let token = TokenRecord(
                id: freshID("t"), principal: principal, role: role, sha256: Digest(of: Array(text.utf8)), source: .api,
                createdAt: transaction.now)
            try transaction.writer.save(token)
            try transaction.record(
                "token.created", mission: nil, actor: by,
                body: ["token": .string(token.id), "role": .string(role.rawValue), "principal": .string(principal)])
            return token
        }
        var answer = tokenJSON(token).object ?? [:]
        answer["token"] = .string(text)
        return .json(.object(answer), status: .created)
    }

    private static func revokeToken(_ call: Call) async throws -> Response {
        let id = call.parameter("token_id")
        let by = try call.caller.principal
        try await call.hub.change { transaction in
            guard var token = try transaction.writer.tokens().first(where: { $0.id == id }) else {
                throw Refusal.notFound("There is no token \(id.prefix(80)).")
            }
            guard token.source == .api else {
                throw Refusal.conflict(
                    "configured",
                    "The token \(id) stands in coordinator.yaml; take it out there and start the coordinator again.")
            }
            guard token.revokedAt == nil else { return }
            token.revokedAt = transaction.now
            try transaction.writer.save(token)
            try transaction.record("token.revoked", mission: nil, actor: by, body: ["token": .string(id)])
        }
        return .json(["success": true, "message": "The token is revoked."])
    }

    private static func whoami(_ call: Call) async throws -> Response {
        let token = try call.caller
        return .json([
            "principal": .string(token.principal), "role": .string(token.role.rawValue), "token_id": .string(token.id),
        ])
    }

    private static func hosts(_ call: Call) async throws -> Response {
        let hosts = try await call.hub.store.read { try $0.hosts() }
        return .json([
            "hosts": .array(
                try hosts.map { host in
                    [
                        "host_id": .string(host.id), "name": .string(host.identity.name),
                        "labels": try JSON(encoding: host.identity.labels), "kernel": .string(host.identity.kernel),
                        "public_key": .string(host.key), "enrolled_at": .string(Timestamp.text(host.enrolledAt)),
                        "last_seen": .string(Timestamp.text(host.lastSeen)),
                        "remedies": .array(host.remedies.keys.sorted().map(JSON.string)),
                    ]
                })
        ])
    }

    static func pauseJSON(_ setting: JSON?) -> JSON {
        [
            "paused": .bool(setting?["paused"]?.bool ?? false), "by": setting?["by"] ?? .null,
            "reason": setting?["reason"] ?? .null, "since": setting?["since"] ?? .null,
        ]
    }

    static func getPause(_ call: Call) async throws -> Response {
        .json(pauseJSON(try await call.hub.store.read { try $0.setting(Setting.pause) }))
    }

    private static func pause(_ call: Call) async throws -> Response {
        let why = try call.text(try await call.json(), "reason")
        return try await setPause(call, paused: true, why: why)
    }

    private static func resume(_ call: Call) async throws -> Response {
        let body = try await call.optionalJSON()
        return try await setPause(call, paused: false, why: try given("reason", call, body) ?? "no reason given")
    }

    private static func setPause(_ call: Call, paused: Bool, why: String) async throws -> Response {
        let by = try call.caller.principal
        let setting = try await call.hub.change { transaction in
            let setting: JSON = [
                "paused": .bool(paused), "by": .string(by), "reason": .string(why),
                "since": .string(Timestamp.text(transaction.now)),
            ]
            try transaction.writer.set(Setting.pause, setting)
            try transaction.record(
                paused ? "grace.paused" : "grace.resumed", mission: nil, actor: by, body: [:], text: why)
            try transaction.announce(
                paused ? "grace.paused" : "grace.resumed", mission: nil, ["by": .string(by), "reason": .string(why)])
            return setting
        }
        return .json(pauseJSON(setting))
    }

    private static func getThreshold(_ call: Call) async throws -> Response {
        let setting = try await call.hub.store.read { try $0.setting(Setting.trustThreshold) }
        return .json(thresholdJSON(setting, call.hub.configuration))
    }

    static func thresholdJSON(_ setting: JSON?, _ configuration: CoordinatorConfiguration) -> JSON {
        [
            "threshold": .number(setting?["threshold"]?.number ?? configuration.trustThreshold),
            "by": setting?["by"] ?? .null, "since": setting?["since"] ?? .null, "act": setting?["act"] ?? .null,
        ]
    }

    private static func setThreshold(_ call: Call) async throws -> Response {
        let body = try await call.json()
        guard let value = body["threshold"]?.number, (0...1).contains(value) else {
            throw Refusal.invalid("“threshold” is a number from 0 to 1.")
        }
        guard let given = body["signature"], !given.isNull else {
            throw Refusal.invalid(
                "Setting the trust threshold is a signed act: give “signature”, a DSSE envelope in the namespace policy@grace. "
                    + "“grace threshold \(value)” makes it.")
        }
        let act = try call.decode(Envelope.self, given, "signature")
        let by = try call.caller.principal
        let setting = try await call.hub.change { transaction in
            try transaction.checkThreshold(act, is: value)
            try transaction.add(act: act, kind: "policy", mission: nil, session: nil, by: by)
            let setting: JSON = [
                "threshold": .number(value), "by": .string(by), "since": .string(Timestamp.text(transaction.now)),
                "act": try JSON(encoding: act),
            ]
            try transaction.writer.set(Setting.trustThreshold, setting)
            try transaction.announce(
                "policy.threshold", mission: nil, ["threshold": .number(value), "by": .string(by)])
            return setting
        }
        return .json(thresholdJSON(setting, call.hub.configuration))
    }
}
