internal import Glibc
internal import Linux

/// Directories of sandboxes whose agent is no more, with what may still be mounted in them.
public struct ScratchLeftovers: LeftoverSource {
    private let directories: [String]
    private let temporary: String

    /// - Parameters:
    ///   - directories: Scratch directories of engines.
    ///   - temporary: Where commands such as `grace run` make directories of their own, named `grace-run.PID-START-…`.
    public init(directories: [String], temporary: String = "/var/tmp") {
        self.directories = directories
        self.temporary = temporary
    }

    public func find() -> [Leftover] {
        var result: [Leftover] = []
        for directory in directories {
            for name in Self.names(directory) where Scratch.isAbandoned(name) {
                result.append(leftover("\(directory)/\(name)", of: name))
            }
        }
        for name in Self.names(temporary) where name.hasPrefix("grace-") {
            guard let dot = name.firstIndex(of: "."), isOwn("\(temporary)/\(name)") else { continue }
            let rest = String(name[name.index(after: dot)...])
            if Scratch.isAbandoned(rest) { result.append(leftover("\(temporary)/\(name)", of: rest)) }
        }
        return result
    }

    /// `/var/tmp` is everybody's: only what this very user made is taken for Grace's.
    private func isOwn(_ path: String) -> Bool {
        guard let status = try? Files.status(path) else { return false }
        return status.isDirectory && status.uid == geteuid()
    }

    private func leftover(_ path: String, of name: String) -> Leftover {
        Leftover(
            kind: .scratch, place: path,
            detail: "The directory of a sandbox whose agent, process \(Scratch.owner(name)), is no more.")
    }

    public func remove(_ leftover: Leftover) throws {
        // Nothing mounted may be deleted through its mount point.
        for place in Self.mounts(below: leftover.place) { try Mounts.detach(place) }
        try Scratch.remove(leftover.place)
    }

    /// Mount points at and below a path, the deepest and latest first.
    static func mounts(below path: String) -> [String] {
        ((try? MountInfo.read()) ?? []).compactMap(\.mountPoint.string)
            .filter { $0 == path || $0.hasPrefix(path + "/") }.reversed()
    }

    static func names(_ directory: String) -> [String] {
        ((try? Files.entries(directory)) ?? []).compactMap { String(validating: $0, as: UTF8.self) }.sorted()
    }
}
