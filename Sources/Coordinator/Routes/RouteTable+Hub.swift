internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Missions

extension RouteTable {
    static let hub: [Route] = [
        Route(
            method: .get, path: "/mission-control/status", name: "getStatus", tag: "hub", summary: "How the hub is.",
            access: .role(.viewer), content: .json("Status"), handler: status),
        Route(
            method: .get, path: "/mission-control/subsystems", name: "getSubsystems", tag: "hub",
            summary: "Each component as it is at this moment; one that was not asked is not listed.",
            access: .role(.viewer),
            content: .json("Subsystems"), handler: subsystems),
        Route(
            method: .get, path: "/mission-control/metrics", name: "getMetrics", tag: "hub", summary: "Counts as JSON.",
            access: .role(.viewer), content: .json("Metrics"), handler: metrics),
    ]

    static let probes: [Route] = [
        Route(
            method: .get, path: "/healthz", name: "health", tag: "probes", summary: "Whether the process answers.",
            access: .everyone, content: .json("Health"), handler: { _ in .json(["status": "ok"]) }),
        Route(
            method: .get, path: "/readyz", name: "ready", tag: "probes",
            summary: "Whether the store can be read and the ledger takes entries.", access: .everyone,
            content: .json("Health"), refusals: [.serviceUnavailable], handler: ready),
        Route(
            method: .get, path: "/metrics", name: "prometheus", tag: "probes",
            summary: "Prometheus text exposition format 0.0.4.", access: .role(.viewer),
            content: .other(type: "text/plain"),
            handler: prometheus),
        Route(
            method: .get, path: "/openapi.json", name: "openapi", tag: "probes", summary: "This document.",
            access: .everyone,
            content: .other(type: "application/json"), handler: { _ in .json(OpenAPI.document) }),
    ]

    private static func status(_ call: Call) async throws -> Response {
        let components = await call.hub.components()
        let (counts, pause) = try await call.hub.store.read {
            (try $0.missionCounts(), try $0.setting(Setting.pause))
        }
        let healthy = components.allSatisfy { $0.status != "failed" }
        let paused = pause?["paused"]?.bool ?? false
        return .json([
            "status": .string(!healthy ? "degraded" : paused ? "paused" : "operational"),
            "paused": .bool(paused), "pause_reason": pause?["reason"] ?? .null,
            "version": .string(Coordinator.version), "started_at": .string(Timestamp.text(call.hub.startedAt)),
            "uptime_seconds": .number(max(0, call.hub.now.timeIntervalSince(call.hub.startedAt))),
            "missions": phases(counts), "components": .array(components.map(\.json)),
        ])
    }

    private static func subsystems(_ call: Call) async throws -> Response {
        .json(["subsystems": .array(await call.hub.components().map(\.json))])
    }

    private static func phases(_ counts: [MissionPhase: Int]) -> JSON {
        .object(
            Dictionary(
                uniqueKeysWithValues: MissionPhase.allCases.map { ($0.rawValue, JSON.integer(Int64(counts[$0] ?? 0))) })
        )
    }

    private static func metrics(_ call: Call) async throws -> Response {
        let figures = try await call.hub.figures()
        return .json([
            "missions": phases(figures.missions), "sessions_open": .integer(Int64(figures.openSessions)),
            "ledger_entries": .integer(Int64(figures.ledger.size)), "ledger_backlog": .integer(figures.ledger.backlog),
            "agents": .integer(Int64(figures.hosts.count)), "event_listeners": .integer(Int64(figures.listeners)),
            "notices_waiting": .integer(Int64(figures.notices)),
            "requests": .integer(Int64(call.hub.counters.all.map(\.value.count).reduce(0, +))),
            "uptime_seconds": .number(max(0, call.hub.now.timeIntervalSince(call.hub.startedAt))),
        ])
    }

    private static func ready(_ call: Call) async throws -> Response {
        let failed = await call.hub.components().filter { $0.status == "failed" }
        guard failed.isEmpty else {
            throw Refusal.unavailable(failed.map { "\($0.name): \($0.detail)" }.joined(separator: "; "))
        }
        return .json(["status": "ok"])
    }

    private static func prometheus(_ call: Call) async throws -> Response {
        let figures = try await call.hub.figures()
        let text = Prometheus.text(figures, counters: call.hub.counters.all, now: call.hub.now)
        return .bytes(Data(text.utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }
}
