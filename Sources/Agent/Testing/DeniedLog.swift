internal import Missions
internal import Sandbox

/// What the filters of one mission's sandboxes denied, and whom they reached over the network, part by part of its test; on disk, so that a test that goes on after a kill
/// hides nothing of what came before.
actor DeniedLog {
    private let folder: MissionFolder
    private var parts: [String: DeniedCalls]
    private var networks: [String: NetworkUse]

    /// Goes on with what the folder knows.
    init(folder: MissionFolder) throws {
        self.folder = folder
        parts = try folder.value(MissionFolder.denied) ?? [:]
        networks = try folder.value(MissionFolder.network) ?? [:]
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

    /// For the evidence, by part.
    var report: [DeniedReport] {
        parts.sorted { $0.key < $1.key }.map { DeniedReport(part: $0.key, denied: $0.value) }
    }
}
