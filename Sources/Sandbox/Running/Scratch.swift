internal import Glibc
internal import Linux

/// Directories that a sandbox needs for as long as it runs.
enum Scratch {
    /// Removes a tree, unreadable directories of our own too (overlayfs's work directory has mode 0).
    static func remove(_ path: String) throws {
        do {
            try Files.removeTree(path)
        } catch {
            try open(path)
            try Files.removeTree(path)
        }
    }

    private static func open(_ path: String) throws {
        guard let status = try Files.status(path), status.isDirectory else { return }
        if status.mode & 0o700 != 0o700, status.uid == geteuid() { try Files.chmod(path, 0o700) }
        for name in try Files.entries(path) {
            guard let name = String(validating: name, as: UTF8.self) else { continue }
            try open("\(path)/\(name)")
        }
    }

    /// Removes what earlier agents left that were killed: directories named `PID-START-…` of processes that are no more.
    static func sweep(_ directory: String) {
        for entry in (try? Files.entries(directory)) ?? [] {
            guard let name = String(validating: entry, as: UTF8.self) else { continue }
            if isAbandoned(name) { try? remove("\(directory)/\(name)") }
        }
    }

    /// Whether a name was given by ``name(_:)`` in a process that is no more.
    static func isAbandoned(_ name: String) -> Bool {
        let parts = name.split(separator: "-")
        guard parts.count >= 3, let pid = Int32(parts[0]), let start = UInt64(parts[1]) else { return false }
        return Processes.startTime(of: pid) != start
    }

    /// The number of the process that gave a name.
    static func owner(_ name: String) -> Substring { name.prefix { $0 != "-" } }

    /// A name for a directory of this process, which ``sweep(_:)`` leaves alone while it lives.
    static func name(_ label: String) -> String {
        "\(getpid())-\(Processes.ownStartTime ?? 0)-\(label)"
    }
}
