internal import Linux

/// Turns overlays as the Fork room or a caller gives them into what the C side mounts.
struct OverlayPlanner {
    /// The sandbox's own directory in scratch: layers and work directories of its own go there.
    let directory: String
    /// Whether throw-away layers live on the bounded private tmpfs.
    let bounded: Bool
    let view: HostView

    /// Parents before children; with none given, throw-away layers over the whole view.
    func plan(_ overlays: [OverlayMount]) throws -> [PlannedOverlay] {
        if overlays.isEmpty {
            return try view.overlays.enumerated().map { try throwAway($0.element.mountPoint, number: $0.offset) }
        }
        let sorted = overlays.sorted { $0.mountPoint.utf8.lexicographicallyPrecedes($1.mountPoint.utf8) }
        for (left, right) in zip(sorted, sorted.dropFirst()) where left.mountPoint == right.mountPoint {
            throw SandboxError.invalid("There are two overlays for “\(left.mountPoint)”.")
        }
        return try sorted.enumerated().map { try plan($0.element, number: $0.offset) }
    }

    private func throwAway(_ mountPoint: String, number: Int) throws -> PlannedOverlay {
        guard !bounded, Self.canHoldLayers(directory) else {
            return PlannedOverlay(mountPoint: mountPoint, lowers: [], volatile: true)
        }
        let base = "\(directory)/\(number)"
        try Files.makeDirectory(base, mode: 0o700, intermediate: false)
        try Files.makeDirectory("\(base)/upper", mode: 0o755, intermediate: false)
        try Files.makeDirectory("\(base)/work", mode: 0o700, intermediate: false)
        // The upper directory's owner and mode are what the mount point shows.
        if let status = try Files.status(mountPoint) {
            try Files.chmod("\(base)/upper", status.mode & 0o7777)
            try? Files.chown("\(base)/upper", uid: status.uid, gid: status.gid)
        }
        return PlannedOverlay(mountPoint: mountPoint, lowers: [], upper: (base, "upper", "work"), volatile: true)
    }

    private func plan(_ overlay: OverlayMount, number: Int) throws -> PlannedOverlay {
        let place = overlay.mountPoint
        guard overlay.lowers.count < 16 else {
            throw SandboxError.invalid(
                "The overlay for “\(place)” has \(overlay.lowers.count) lower layers; at most 15 are taken.")
        }
        var planned = PlannedOverlay(mountPoint: place, lowers: overlay.lowers, volatile: overlay.volatile)
        if overlay.upper.isEmpty != overlay.work.isEmpty {
            throw SandboxError.invalid(
                "The overlay for “\(place)” has an upper layer without a work directory, or the other way round.")
        }
        if overlay.upper.isEmpty {
            planned.volatile = true
        } else if bounded && overlay.volatile {
            // Writes go to the bounded tmpfs; what was prepared in the upper layer lies below as the topmost lower one.
            if try !Files.entries(overlay.upper).isEmpty { planned.lowers.insert(overlay.upper, at: 0) }
        } else {
            planned.upper = try Self.split(overlay.upper, overlay.work, place)
        }
        if !planned.volatile { planned.under = try stack(planned, number: number) }
        return planned
    }

    /// A durable overlay whose one extra layer lies on live's own file system: see overlay.c.
    private func stack(_ planned: PlannedOverlay, number: Int) throws -> (base: String, upper: String, work: String)? {
        let live = try Files.status(planned.mountPoint)?.device
        let same = try planned.lowers.filter { try Files.status($0)?.device == live }
        guard let lower = same.first else { return nil }
        guard planned.lowers.count == 1 else {
            throw SandboxError.invalid(
                "The lasting overlay for “\(planned.mountPoint)” has \(planned.lowers.count) lower layers, of which some lie on live's own "
                    + "file system; the kernel takes one such layer. Merge them, or put them on another file system.")
        }
        let parent = BytePath(lower).parent.string ?? "/"
        let work =
            "\(parent)/.grace-work-\(BytePath(directory).last.map { String(UnicodeScalar($0)) }.joined())-\(number)"
        try Files.makeDirectory(work, mode: 0o700, intermediate: false)
        return try Self.split(lower, work, planned.mountPoint)
    }

    /// The deepest common parent of two directories, and their names below it.
    static func split(_ upper: String, _ work: String, _ place: String) throws -> (
        base: String, upper: String, work: String
    ) {
        let left = upper.split(separator: "/")
        let right = work.split(separator: "/")
        let common = zip(left, right).prefix { $0 == $1 }.count
        guard common > 0, common < left.count, common < right.count, upper.hasPrefix("/"), work.hasPrefix("/") else {
            throw SandboxError.invalid(
                "The overlay for “\(place)”: the upper layer “\(upper)” and the work directory “\(work)” must be two directories, neither "
                    + "inside the other, with a common parent below “/”.")
        }
        let names = (left.dropFirst(common).joined(separator: "/"), right.dropFirst(common).joined(separator: "/"))
        for name in [names.0, names.1] where name.contains(where: { ",:\\".contains($0) }) || name.contains("..") {
            throw SandboxError.invalid(
                "The overlay for “\(place)”: “\(name)” contains “,”, “:”, “\\” or “..”, which overlayfs cannot take.")
        }
        return ("/" + left.prefix(common).joined(separator: "/"), names.0, names.1)
    }

    /// overlayfs refuses an overlay as its upper layer (EINVAL).
    static func canHoldLayers(_ path: String) -> Bool {
        ((try? Files.fileSystem(path))?.magic).map { $0 != 0x794c_7630 && $0 != 0x6969 } ?? false
    }
}
