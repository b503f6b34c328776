internal import Missions
internal import Sandbox

/// What the filters of one mission's sandboxes denied, and whom they reached over the network, part by part of its test; on disk, so that a test that goes on after a kill
/// hides nothing of what came before.
actor DeniedLog {
    private let folder: MissionFolder
    private var parts: [String: DeniedCalls]
    private var networks: [String: NetworkUse]
    /// By part, how many of its sandboxes ran into each limit.
    private var limits: [String: [String: Int]]

    /// Goes on with what the folder knows.
    init(folder: MissionFolder) throws {
        self.folder = folder
        parts = try folder.value(MissionFolder.denied) ?? [:]
        networks = try folder.value(MissionFolder.network) ?? [:]
        limits = try folder.value(MissionFolder.limits) ?? [:]
    }

    /// Adds one sandbox's calls to a part: `apply`, `check NAME`, `baseline` or `candidate`.
    func record(_ denied: DeniedCalls, part: String) throws {
        parts[part] = parts[part].map { .sum([$0, denied]) } ?? denied
        try folder.write(MissionFolder.denied, parts)
    }

    /// Adds what one sandbox did with its way out.
    func record(_ use: NetworkUse, part: String) throws {
        networks[part, default: NetworkUse()].add(use)
        try folder.write(MissionFolder.network, networks)
    }

    /// For the evidence, by part; `nil` when no sandbox had a way out.
    var network: [NetworkReport]? {
        networks.isEmpty
            ? nil : networks.sorted { $0.key < $1.key }.map { NetworkReport(part: $0.key, use: $0.value) }
    }

    /// Notes the limit that a sandbox of a part ran into.
    func record(_ breach: Breach, part: String) throws {
        limits[part, default: [:]][breach.rawValue, default: 0] += 1
        try folder.write(MissionFolder.limits, limits)
    }

    /// The limits run into, for the evidence, by part and limit.
    var limitReport: [LimitReport] {
        limits.sorted { $0.key < $1.key }.flatMap { part, hit in
            hit.sorted { $0.key < $1.key }.compactMap { name, times in
                Breach(rawValue: name).map { LimitReport(part: part, limit: $0, times: times) }
            }
        }
    }

    /// For the evidence, by part.
    var report: [DeniedReport] {
        parts.sorted { $0.key < $1.key }.map { DeniedReport(part: $0.key, denied: $0.value) }
    }
}
