internal import Documents
internal import FoundationEssentials
internal import Missions

/// Keys of the store's settings.
enum Setting {
    static let pause = "pause"
    static let trustThreshold = "trust_threshold"
}

/// A component as it is now. Nothing is listed that was not looked at.
struct ComponentState: Sendable {
    var name: String
    /// `ok`, `failed`, or for an agent `silent` when it was not heard for a minute.
    var status: String
    var detail: String
    var lastSeen: Date?

    var json: JSON {
        [
            "name": .string(name), "status": .string(status), "detail": .string(detail),
            "last_seen": lastSeen.map { .string(Timestamp.text($0)) } ?? .null,
        ]
    }
}

/// Figures for both metrics paths.
struct Figures: Sendable {
    var missions: [MissionPhase: Int]
    var openSessions: Int
    var ledger: LedgerService.State
    var hosts: [HostRecord]
    var listeners: Int
    var notices: Int
    var paused: Bool
}

extension Hub {
    func components() async -> [ComponentState] {
        var all: [ComponentState] = []
        var hosts: [HostRecord] = []
        do {
            hosts = try await store.read { try $0.hosts() }
            all.append(ComponentState(name: "store", status: "ok", detail: "\(store.kind), read just now"))
        } catch {
            all.append(ComponentState(name: "store", status: "failed", detail: oneLine("\(error)")))
        }
        let state = await ledger.state()
        if let trouble = state.trouble {
            all.append(ComponentState(name: "ledger", status: "failed", detail: oneLine(trouble)))
        } else {
            all.append(
                ComponentState(name: "ledger", status: "ok", detail: "\(state.size) entries, \(state.backlog) waiting"))
        }
        let listeners = await mesh.subscriberCount
        all.append(ComponentState(name: "mesh", status: "ok", detail: "\(listeners) listeners"))
        let waiting = try? await store.read { try $0.noticeCount(hook: nil) }
        all.append(
            ComponentState(
                name: "hooks", status: "ok",
                detail:
                    "\(configuration.hooks.count) configured, \(waiting.map(String.init) ?? "unknown how many") notices waiting"
            ))
        for host in hosts {
            let silence = now.timeIntervalSince(host.lastSeen)
            all.append(
                ComponentState(
                    name: "agent:\(host.identity.name)", status: silence > 60 ? "silent" : "ok",
                    detail: silence > 60 ? "not heard for \(Int(silence)) s" : "heard \(Int(max(0, silence))) s ago",
                    lastSeen: host.lastSeen))
        }
        return all
    }

    func figures() async throws -> Figures {
        let (missions, sessions, hosts, notices, pause) = try await store.read { reader in
            (
                try reader.missionCounts(),
                try reader.sessions(status: "open", mission: nil, limit: 1, after: nil).total,
                try reader.hosts(), try reader.noticeCount(hook: nil), try reader.setting(Setting.pause)
            )
        }
        return Figures(
            missions: missions, openSessions: sessions, ledger: await ledger.state(), hosts: hosts,
            listeners: await mesh.subscriberCount, notices: notices, paused: pause?["paused"]?.bool ?? false)
    }
}

/// The Prometheus text exposition format, version 0.0.4.
enum Prometheus {
    static func text(_ figures: Figures, counters: [(key: Counters.Key, value: Counters.Value)], now: Date) -> String {
        var out = ""
        func metric(_ name: String, _ type: String, _ help: String, _ samples: [([(String, String)], Double)]) {
            out += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for (labels, value) in samples {
                let pairs = labels.map { "\($0.0)=\"\(escape($0.1))\"" }.joined(separator: ",")
                out += "\(name)\(pairs.isEmpty ? "" : "{\(pairs)}") \(value)\n"
            }
        }
        metric(
            "grace_missions", "gauge", "Missions by phase.",
            MissionPhase.allCases.map { ([("phase", $0.rawValue)], Double(figures.missions[$0] ?? 0)) })
        metric("grace_sessions_open", "gauge", "Sessions that wait for votes.", [([], Double(figures.openSessions))])
        metric("grace_ledger_entries", "gauge", "Entries in the Merkle log.", [([], Double(figures.ledger.size))])
        metric(
            "grace_ledger_backlog", "gauge", "Entries that wait to be appended.", [([], Double(figures.ledger.backlog))]
        )
        metric("grace_event_listeners", "gauge", "Open event streams.", [([], Double(figures.listeners))])
        metric("grace_notices_waiting", "gauge", "Notices that wait for a hook.", [([], Double(figures.notices))])
        metric("grace_paused", "gauge", "1 while Grace is paused.", [([], figures.paused ? 1 : 0)])
        metric(
            "grace_agent_silence_seconds", "gauge", "Seconds since an agent was heard.",
            figures.hosts.map { ([("host", $0.identity.name)], max(0, now.timeIntervalSince($0.lastSeen))) })
        metric(
            "grace_http_requests_total", "counter", "Requests answered.",
            counters.map { ([("route", $0.key.route), ("status", "\($0.key.status)")], Double($0.value.count)) })
        metric(
            "grace_http_request_seconds_total", "counter", "Seconds until the answer's head.",
            counters.map { ([("route", $0.key.route), ("status", "\($0.key.status)")], $0.value.seconds) })
        return out
    }

    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
