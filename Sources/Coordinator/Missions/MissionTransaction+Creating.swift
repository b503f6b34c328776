internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Missions

extension MissionTransaction {
    /// Makes a mission in the phase `detected`.
    func create(file: MissionFile, host: String?, proposer: String, dedupeKey: String? = nil) throws -> Mission {
        let digest: Digest
        do {
            digest = try file.digest
        } catch {
            throw Refusal.invalid("The mission can't be written as canonical JSON: \(error)")
        }
        let mission = Mission(
            id: freshID("m"), file: file, digest: digest, host: host, proposer: proposer, createdAt: now)
        try writer.save(mission, dedupeKey: dedupeKey)
        var body: [String: JSON] = [
            "mission_file": .string(digest.hex), "severity": .string(file.severity.rawValue),
            "to": .string(mission.phase.rawValue),
        ]
        if let host { body["host"] = .string(host) }
        try record("mission.created", mission: mission.id, actor: proposer, body: .object(body), text: file.title)
        try announce(
            "mission.created", mission: mission.id,
            [
                "event": "created", "phase": .string(mission.phase.rawValue), "title": .string(file.title),
                "by": .string(proposer), "reason": .string(mission.reason),
            ])
        return mission
    }

    /// What an agent's detector proposes: nothing new while a mission with the same key is open, or in the cool-down after
    /// people rejected one.
    func propose(
        file: MissionFile, host: String, proposer: String, dedupeKey: String
    ) throws -> (mission: Mission, created: Bool) {
        if let old = try writer.mission(dedupeKey: dedupeKey, host: host) {
            if !old.phase.isSettled { return (old, false) }
            if old.phase == .rejected, now.timeIntervalSince(old.updatedAt) < configuration.cooldown {
                return (old, false)
            }
        }
        return (try create(file: file, host: host, proposer: proposer, dedupeKey: dedupeKey), true)
    }

    /// The host a person's mission is for: the one named, the only one whose labels fit, or nobody yet.
    func chooseHost(_ wanted: String?, for file: MissionFile) throws -> String? {
        let hosts = try writer.hosts()
        if let wanted {
            guard let host = hosts.first(where: { $0.id == wanted || $0.identity.name == wanted }) else {
                throw Refusal.invalid("No host “\(wanted.prefix(80))” is enrolled.")
            }
            guard host.identity.carries(file.host.labels) else {
                throw Refusal.invalid(
                    "The host “\(host.identity.name)” does not carry the labels the mission asks for.")
            }
            return host.id
        }
        let fitting = hosts.filter { $0.identity.carries(file.host.labels) }
        if fitting.count > 1, file.host.labels.isEmpty {
            let names = fitting.map(\.identity.name).joined(separator: ", ")
            throw Refusal.invalid(
                "Several hosts are enrolled (\(names)): say which with “?host=”, or give the mission labels.")
        }
        return fitting.count == 1 ? fitting.first?.id : nil
    }

    /// Adds a person's words to a mission.
    func addFeedback(_ text: String, to id: String, by principal: String) throws {
        var mission = try existing(id)
        guard mission.feedback.count < 1000 else {
            throw Refusal.conflict("full", "The mission \(id) has 1,000 pieces of feedback; it takes no more.")
        }
        mission.feedback.append(Feedback(by: principal, at: now, text: text))
        mission.updatedAt = now
        try writer.save(mission, dedupeKey: nil)
        try record("mission.feedback", mission: id, actor: principal, body: [:], text: text)
        try announce(
            "mission.feedback", mission: id, ["event": "feedback", "by": .string(principal), "text": .string(text)])
    }

    /// Leaves word for the mission's agent.
    func request(_ kind: String, of mission: Mission, by principal: String, reason: String, act: Envelope? = nil) throws
    {
        try writer.save(
            RequestRecord(
                id: freshID("r"), missionID: mission.id, hostID: mission.host, kind: kind, by: principal,
                reason: reason,
                act: act, at: now))
        try announce(
            "mission.\(kind)_requested", mission: mission.id,
            ["event": .string(kind + "_requested"), "by": .string(principal), "reason": .string(reason)])
    }
}

extension HostIdentity {
    /// Whether this host has all these labels.
    func carries(_ labels: [String: String]) -> Bool {
        labels.allSatisfy { self.labels[$0.key] == $0.value }
    }
}
