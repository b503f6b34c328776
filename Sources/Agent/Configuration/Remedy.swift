public import Missions
public import Sandbox

/// A mission template that may answer a detection: a mission file in whose title, description and rationale
/// `{{detection}}`, `{{usual}}`, `{{observed}}` and `{{rise}}` stand for what was seen.
public struct Remedy: Sendable {
    public let name: String
    public let template: MissionFile

    public init(name: String, template: MissionFile) {
        self.name = name
        self.template = template
    }

    /// Reads `NAME.yaml`; its sources are read relative to `directory`.
    public static func parse(
        name: String, file: String, text: String, directory: String, profiles: ProfileLibrary
    ) throws -> Remedy {
        Remedy(
            name: name,
            template: try MissionFile.parse(file: file, text: text, directory: directory, profiles: profiles))
    }

    /// The mission that answers `detection`.
    public func mission(for detection: Detection) -> MissionFile {
        var mission = template
        func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
        func filled(_ text: String) -> String {
            text.replacing("{{detection}}", with: detection.sentence)
                .replacing("{{usual}}", with: milliseconds(detection.usual))
                .replacing("{{observed}}", with: milliseconds(detection.observed))
                .replacing("{{rise}}", with: "\(Int((detection.rise * 100).rounded())) %")
        }
        mission.title = filled(mission.title)
        mission.description = filled(mission.description)
        mission.rationale = filled(mission.rationale)
        mission.severity = max(mission.severity, detection.severity)
        return mission
    }
}
