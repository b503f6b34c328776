import Local
import NIOHTTP1
import Documents
import FoundationEssentials
import Missions

/// Follows one mission through the event stream, printing what happens.
final class Follower {
    let api: APIClient
    let json: Bool
    let until: Set<String>
    private var lastProgress = ""

    init(api: APIClient, json: Bool, until: Set<String>) {
        self.api = api
        self.json = json
        self.until = until
    }

    /// Returns when the mission is settled or has reached one of `until`.
    func follow(_ wanted: String?) async throws -> (id: String, phase: MissionPhase) {
        var id = wanted
        var lastEvent: String?
        while true {
            if let id {
                let mission = try await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)")
                if let phase = end(mission["phase"]?.string) { return (id, phase) }
            }
            var result: (String, MissionPhase)?
            do {
                try await api.events(after: lastEvent) { eventID, name, data in
                    lastEvent = eventID.isEmpty ? lastEvent : eventID
                    guard name.hasPrefix("mission."), let mission = data["mission_id"]?.string else { return true }
                    if id == nil { id = mission }
                    guard mission == id else { return true }
                    show(name, data)
                    if let phase = end(data["phase"]?.string), name != "mission.progress" {
                        result = (mission, phase)
                        return false
                    }
                    return true
                }
            } catch let failure as Failure {
                throw failure
            } catch {
                // The stream broke (a restart, a proxy): go on from the last event.
            }
            if let result { return result }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func end(_ name: String?) -> MissionPhase? {
        guard let name, let phase = MissionPhase(rawValue: name) else { return nil }
        return phase.isSettled || until.contains(name) ? phase : nil
    }

    private func show(_ name: String, _ data: JSON) {
        if json {
            Terminal.line(JSON.object(["event": .string(name), "data": data]).canonicalText)
            return
        }
        let time = String(Timestamp.text(Date()).dropFirst(11).prefix(8))
        if name == "mission.progress" {
            let text = Terminal.escaped(data["text"]?.string ?? "")
            guard text != lastProgress else { return }
            lastProgress = text
            Terminal.line("\(Terminal.styled(time, .dim))   \(text)")
        } else if let phase = data["phase"]?.string {
            let reason = data["reason"]?.string.map { " — " + Terminal.escaped($0) } ?? ""
            Terminal.line("\(Terminal.styled(time, .dim)) \(Terminal.styled("● " + phase, .bold, .blue))\(reason)")
        }
    }
}
