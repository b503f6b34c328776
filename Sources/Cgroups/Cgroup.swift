internal import Linux
internal import Synchronization

/// One cgroup: the same path in every hierarchy of the host, behind one type.
///
/// All calls may come from any thread. Those that wait do so on a thread of their own.
public final class Cgroup: Sendable, CustomStringConvertible {
    /// The cgroup's directory in one hierarchy.
    struct Place: Sendable, Equatable {
        let directory: String
        let isUnified: Bool
    }

    /// The host it is on.
    public let host: CgroupHost
    /// Below every hierarchy's root: `grace/sandbox-1`.
    public let path: String
    /// Whether ``create(on:path:limits:)`` made it.
    public let isOurs: Bool
    /// Version 1 hierarchies, then version 2.
    let places: [Place]
    let sampler: Sampler
    let freezing = Mutex(FreezeState())
    let vitalFiles = Mutex<VitalFiles?>(nil)

    init(host: CgroupHost, path: String, isOurs: Bool, places: [Place]) {
        self.host = host
        self.path = path
        self.isOurs = isOurs
        self.places = places
        sampler = Sampler(host: host, path: path, places: places)
    }

    /// `cgroup grace/sandbox-1`.
    public var description: String { "cgroup \(path)" }

    /// The directory in the version 2 tree, where the host has one.
    var unified: Place? { places.first { $0.isUnified } }

    /// The directory where a controller works; `nil` where it doesn't for this cgroup.
    func place(_ controller: Controller) -> Place? {
        switch host.homes[controller] {
        case .legacy(let root): places.first { $0.directory == "\(root)/\(path)" } ?? linked(root)
        case .unified: unified
        case nil: nil
        }
    }

    /// The place of a hierarchy that is joined under its other name (`cpu,cpuacct`).
    private func linked(_ root: String) -> Place? {
        let directory = "\(root)/\(path)"
        guard let own = (try? Files.status(directory)) ?? nil, own.isDirectory else { return nil }
        return Place(directory: directory, isUnified: false)
    }

    /// Whether `path` may name a cgroup: relative, no empty part, no dots.
    static func check(_ path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let bad = parts.contains {
            $0.isEmpty || $0 == "." || $0 == ".." || $0.utf8.contains(0) || $0.utf8.contains(10)
        }
        if path.isEmpty || bad { throw CgroupError.badPath(path) }
    }
}
