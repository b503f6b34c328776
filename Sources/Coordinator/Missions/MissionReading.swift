internal import Documents
internal import FoundationEssentials
internal import Missions
internal import Sandbox

/// Mission files as they come over HTTP.
enum MissionReading {
    /// Reads a mission: in the mission file's form, or as the checked and complete document that `grace propose` sends (which
    /// has `change.action`). Contents must be inlined: a path would be one on this server.
    static func read(_ json: JSON, profiles: [String]) throws -> MissionFile {
        if json["change"]?["action"] != nil {
            let file: MissionFile
            do {
                file = try json.decode(MissionFile.self)
            } catch {
                throw Refusal.invalid("The mission document can't be read. \(error)")
            }
            let faults = file.faults
            guard faults.isEmpty else {
                throw Refusal.invalid("The mission is refused: \(faults.joined(separator: "; ")).")
            }
            return file
        }
        return try MissionFile.parse(
            file: "mission", text: String(decoding: json.canonical, as: UTF8.self), directory: nil,
            profiles: profiles.isEmpty ? nil : ProfileLibrary(directories: profiles))
    }
}
