public import Linux

/// A mount of the live host that a sandbox sees through a copy-on-write layer.
public struct HostMount: Codable, Equatable, Sendable {
    /// `/`, or where a nested file system lies.
    public let mountPoint: String
    /// The file system's type, `ext4`.
    public let type: String
    /// Whether live cannot write it; then a sandbox cannot either.
    public let readOnly: Bool

    public init(mountPoint: String, type: String, readOnly: Bool = false) {
        self.mountPoint = mountPoint
        self.type = type
        self.readOnly = readOnly
    }
}

/// A path that a sandbox sees as empty, and why.
public struct HiddenPath: Codable, Equatable, Sendable {
    public let path: String
    public let why: String

    public init(path: String, why: String) {
        self.path = path
        self.why = why
    }
}

/// What of the live host a fork or sandbox sees.
///
/// Every real file system gets an overlay of its own, because `lowerdir=/` covers one mount alone and what nested mounts shadow
/// would come to light. What is made new in every sandbox (`/proc`, `/sys`, `/dev`, `/run`, `/tmp`) is in neither list. Everything else
/// is hidden.
public struct HostView: Codable, Equatable, Sendable {
    /// `/` first, parents before children.
    public let overlays: [HostMount]
    /// Hidden paths, sorted.
    public let masks: [HiddenPath]

    public init(overlays: [HostMount], masks: [HiddenPath]) {
        self.overlays = overlays
        self.masks = masks
    }

    /// Directories that every sandbox gets new and private, with everything mounted below them.
    public static let fresh = ["/proc", "/sys", "/dev", "/run", "/tmp"]

    /// The same for a sandbox with ``SandboxSpecification/sharesTemporary``.
    public static let freshBesidesTemporary = fresh.filter { $0 != "/tmp" }

    /// File systems on this machine's own disks and memory, which overlayfs can read through.
    static let local: Set<String> = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "squashfs", "erofs", "iso9660",
        "overlay", "zfs",
    ]

    /// The view of a host with these mounts.
    ///
    /// - Parameters:
    ///   - mounts: as ``MountInfo`` reads them, in the kernel's order: a later mount at the same place covers an earlier one.
    ///   - mask: further paths to hide: Grace's own state, configuration and runtime directories, and a profile's `hide`.
    ///   - secrets: what is hidden from every sandbox; `nil`: what ``HostSecrets`` finds on this host.
    ///   - fresh: directories that the sandbox gets new and private.
    /// - Returns: what is layered, and what is hidden and why.
    public static func current(
        mounts: [MountInfo.Mount], mask: [String] = [], secrets: [HiddenPath]? = nil, fresh: [String] = Self.fresh
    ) -> HostView {
        var top: [String: MountInfo.Mount] = [:]
        var masks: [String: String] = [:]
        for mount in mounts {
            guard let place = mount.mountPoint.string else { continue }  // see below
            top[place] = mount
        }
        for hidden in secrets ?? HostSecrets.found() { masks[hidden.path] = hidden.why }
        for path in mask { masks[path] = "asked for" }

        var overlays: [HostMount] = []
        for (place, mount) in top.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
        where !isBelow(place, fresh) {
            if isBelow(place, Array(masks.keys)) { continue }
            if place == "/" {
                overlays.append(HostMount(mountPoint: place, type: mount.type, readOnly: mount.options.contains("ro")))
            } else if !local.contains(mount.type) {
                masks[place] =
                    "a file system of type \(mount.type), which is not this machine's own or cannot be layered"
            } else if mount.type == "overlay" {
                // It could not be idmapped either, so that one container's root would cost every sandbox its mapped root.
                masks[place] = "the root of a container, or of another sandbox"
            } else if isFile(place) {
                masks[place] = "a single file mounted over another"
            } else {
                overlays.append(HostMount(mountPoint: place, type: mount.type, readOnly: mount.options.contains("ro")))
            }
        }
        // A mount whose name is not UTF-8 hides everything from the last component that is.
        for mount in mounts where mount.mountPoint.string == nil {
            var parent = mount.mountPoint.parent
            while parent.string == nil { parent = parent.parent }
            if let path = parent.string, path != "/" {
                masks[path] = "something is mounted below it under a name that is not UTF-8"
            }
        }
        overlays.removeAll { $0.mountPoint != "/" && isBelow($0.mountPoint, Array(masks.keys)) }
        return HostView(
            overlays: overlays,
            masks: masks.sorted { $0.key < $1.key }.map { HiddenPath(path: $0.key, why: $0.value) })
    }

    private static func isFile(_ place: String) -> Bool {
        (try? Files.status(place)).flatMap { $0 }.map { !$0.isDirectory } ?? false
    }

    /// Whether `path` is one of `places` or lies below one.
    static func isBelow(_ path: String, _ places: [String]) -> Bool {
        places.contains { path == $0 || path.hasPrefix($0 + "/") }
    }
}
