internal import Linux

/// For unprivileged callers: takes an overlay of a tree with mounts in it apart into overlays of trees without.
///
/// In a user namespace the mounts that came with it are locked: overlayfs refuses a lower layer that has one below it
/// (`clone_private_mount`, EINVAL), because the layer would show what the mount hides. So the root becomes a skeleton of empty
/// directories and links, and every directory of it that has no mount below gets an overlay of its own, with the matching
/// directory of the upper layer.
struct RootSplitter {
    /// The sandbox's own directory: the skeleton and work directories go there.
    let directory: String
    /// Every mount point of the host.
    let mounts: [String]
    /// Directories that the sandbox gets new and private.
    var fresh = HostView.fresh

    func split(_ overlays: [PlannedOverlay]) throws -> [PlannedOverlay] {
        var result: [PlannedOverlay] = []
        let given = Set(overlays.map(\.mountPoint))
        for (number, overlay) in overlays.enumerated() {
            guard overlay.lowers.isEmpty else {
                throw SandboxError.invalid(
                    "Extra layers below an upper one need root; start Grace as root for this sandbox.")
            }
            guard hasMountsBelow(overlay.mountPoint) else {
                result.append(overlay)
                continue
            }
            let skeleton = "\(directory)/skeleton-\(number)"
            try Files.makeDirectory(skeleton, mode: 0o755)
            var top = overlay
            top.live = skeleton
            result.append(top)
            try expand(
                overlay.mountPoint, skeleton: skeleton, of: overlay, number: number, except: given, into: &result)
        }
        guard result.count <= 64 else {
            throw SandboxError.invalid(
                "The host's root would take \(result.count) layers without root; at most 64 are made. Start Grace as root."
            )
        }
        return result.sorted { $0.mountPoint.utf8.lexicographicallyPrecedes($1.mountPoint.utf8) }
    }

    private func hasMountsBelow(_ path: String) -> Bool {
        let prefix = path == "/" ? "/" : path + "/"
        return mounts.contains { $0.hasPrefix(prefix) && $0 != path }
    }

    private func expand(
        _ path: String, skeleton: String, of overlay: PlannedOverlay, number: Int, except given: Set<String>,
        into result: inout [PlannedOverlay]
    ) throws {
        for entry in (try? Files.entries(path)) ?? [] {
            guard let name = String(validating: entry, as: UTF8.self) else { continue }
            let place = path == "/" ? "/\(name)" : "\(path)/\(name)"
            let copy = "\(skeleton)/\(name)"
            guard let status = try Files.status(place) else { continue }
            if status.isSymlink {
                try Files.symlink(try Files.readlink(place), at: copy)
            } else if status.isDirectory {
                try Files.makeDirectory(copy, mode: status.mode & 0o777 | 0o500)
                if given.contains(place) || HostView.isBelow(place, fresh) { continue }
                if hasMountsBelow(place) {
                    try expand(place, skeleton: copy, of: overlay, number: number, except: given, into: &result)
                } else {
                    result.append(try part(place, status, of: overlay, number: result.count))
                }
            } else if status.isFile, let data = try? Files.read(place, limit: 1 << 20) {
                try Files.writeAtomically(copy, data, mode: status.mode & 0o777)
            }
        }
    }

    /// The overlay of one directory, on the matching directory of the whole's upper layer.
    private func part(_ place: String, _ status: Status, of overlay: PlannedOverlay, number: Int) throws
        -> PlannedOverlay
    {
        var part = PlannedOverlay(mountPoint: place, lowers: [], volatile: overlay.volatile)
        guard let upper = overlay.upper else { return part }  // the private tmpfs makes its own
        let below =
            overlay.mountPoint == "/"
            ? String(place.dropFirst()) : String(place.dropFirst(overlay.mountPoint.count + 1))
        let names = (upper: "\(upper.upper)/\(below)", work: "\(upper.work)-\(number)")
        // A directory that nobody may write must not make its parents like that: its sisters come after it.
        let parent = BytePath("\(upper.base)/\(names.upper)").parent
        try Files.makeDirectory(parent, mode: 0o755, intermediate: true)
        try Files.makeDirectory("\(upper.base)/\(names.upper)", mode: status.mode & 0o777, intermediate: true)
        try Files.chmod("\(upper.base)/\(names.upper)", status.mode & 0o7777 | 0o700)
        try Files.makeDirectory("\(upper.base)/\(names.work)", mode: 0o700, intermediate: true)
        part.upper = (upper.base, names.upper, names.work)
        return part
    }
}
