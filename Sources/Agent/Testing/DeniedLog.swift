internal import Missions
internal import Sandbox

/// What the filters of one mission's sandboxes denied, part by part of its test; on disk, so that a test that goes on after a kill
/// hides nothing of what came before.
actor DeniedLog {
    private let folder: MissionFolder
    private var parts: [String: DeniedCalls]

    /// Goes on with what the folder knows.
    init(folder: MissionFolder) throws {
        self.folder = folder
        parts = try folder.value(MissionFolder.denied) ?? [:]
    }

    /// Adds one sandbox's calls to a part: `apply`, `check NAME`, `baseline` or `candidate`.
    func record(_ denied: DeniedCalls, part: String) throws {
        parts[part] = parts[part].map { .sum([$0, denied]) } ?? denied
        try folder.write(MissionFolder.denied, parts)
    }

    /// For the evidence, by part.
    var report: [DeniedReport] {
        parts.sorted { $0.key < $1.key }.map { DeniedReport(part: $0.key, denied: $0.value) }
    }
}
