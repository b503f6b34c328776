internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Missions

/// What agents' policies said in the latest evidence. The policies themselves lie on the hosts: what is not in evidence is
/// not known here, and not shown.
extension RouteTable {
    static let policies: [Route] = [
        Route(
            method: .get, path: "/api/governance/policies", name: "listPolicies", tag: "policies",
            summary: "Each rule as agents' latest evidence reports it.", access: .role(.viewer),
            content: .json("Policies"),
            handler: rules),
        Route(
            method: .get, path: "/api/constitution/principles", name: "listPrinciples", tag: "policies",
            summary: "Each principle as agents' latest evidence reports it.", access: .role(.viewer),
            content: .json("Principles"), handler: principles),
        Route(
            method: .get, path: "/api/hunter/findings", name: "listFindings", tag: "policies",
            summary: "Hunter's findings of the newest missions.", access: .role(.viewer),
            query: [parameter("mission", ["type": "string"], "Only findings of this mission."), limit],
            content: .json("Findings"), refusals: [.unprocessableContent], handler: findings),
    ]

    private static func source(_ mission: Mission) -> [String: JSON] {
        [
            "mission_id": .string(mission.id), "host": MissionView.text(mission.evidence?.host.name),
            "reported_at": MissionView.time(mission.evidence?.createdAt),
        ]
    }

    private static func rules(_ call: Call) async throws -> Response {
        let missions = try await call.hub.store.read { try $0.missionsWithEvidence(limit: 100) }
        var seen: Set<String> = []
        var all: [JSON] = []
        for mission in missions {
            guard let evidence = mission.evidence else { continue }
            for rule in evidence.governance where seen.insert(evidence.host.id + "\u{0}" + rule.rule).inserted {
                var members = source(mission)
                members["rule"] = .string(rule.rule)
                members["level"] = .string(rule.level.rawValue)
                members["applicable"] = .bool(rule.applicable)
                members["passed"] = .bool(rule.passed)
                members["message"] = .string(rule.message)
                members["digest"] = .string(evidence.policies.governance.hex)
                all.append(.object(members))
            }
        }
        return .json(["policies": .array(all)])
    }

    private static func principles(_ call: Call) async throws -> Response {
        let missions = try await call.hub.store.read { try $0.missionsWithEvidence(limit: 100) }
        var seen: Set<String> = []
        var all: [JSON] = []
        for mission in missions {
            guard let evidence = mission.evidence else { continue }
            for result in evidence.constitution
            where seen.insert(evidence.host.id + "\u{0}" + result.principle).inserted {
                var members = source(mission)
                members["principle"] = .string(result.principle)
                members["stage"] = .string(result.stage.rawValue)
                members["satisfied"] = .bool(result.satisfied)
                members["message"] = .string(result.message)
                members["digest"] = .string(evidence.policies.constitution.hex)
                all.append(.object(members))
            }
        }
        return .json(["principles": .array(all)])
    }

    private static func findings(_ call: Call) async throws -> Response {
        let (limit, _) = try call.page()
        let wanted = call.query["mission"]
        let missions: [Mission] = try await call.hub.store.read { reader in
            guard let wanted else { return try reader.missionsWithEvidence(limit: limit) }
            return try reader.mission(wanted).map { [$0] } ?? []
        }
        var all: [JSON] = []
        var scans: [JSON] = []
        for mission in missions {
            guard let hunter = mission.evidence?.hunter else { continue }
            for finding in hunter.findings {
                var members = source(mission)
                members["id"] = .string(finding.id)
                members["rule"] = .string(finding.rule)
                members["severity"] = .string(finding.severity.rawValue)
                members["path"] = .string(finding.path)
                members["message"] = .string(finding.message)
                all.append(.object(members))
            }
            var scan = source(mission)
            scan["scanners"] = try JSON(encoding: hunter.scanners)
            scan["score"] = .number(hunter.score)
            scans.append(.object(scan))
        }
        return .json(["findings": .array(all), "scans": .array(scans)])
    }
}
