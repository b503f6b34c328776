internal import Glibc
internal import Linux

/// Where throw-away layers go.
struct ScratchPlan: Sendable {
    /// Bytes and inodes that they may take, 0: no bound.
    var bytes: UInt64 = 0
    var inodes: UInt64 = 0
    /// An empty ext4 file system of that size; `nil`: a tmpfs.
    var device: LoopDevice?
}

extension Preparation {
    /// Bounds throw-away layers: by a tmpfs where they fit into half the memory that the sandbox may use (else its end is a process
    /// killed for memory, not “no space left”), by an ext4 image where they don't.
    func planScratch() async throws -> ScratchPlan {
        let limits = specification.profile.limits
        guard let limit = limits.diskLimit else { return ScratchPlan() }
        // Overlays and the file system have a few inodes of their own.
        let inodes = limit.inodes.map { UInt64(clamping: $0) + 256 } ?? 0
        var plan = ScratchPlan(bytes: UInt64(clamping: limit.bytes), inodes: inodes)
        guard needsScratch, limit.bytes > (limits.memory ?? Self.unlimitedMemory) / 2 else { return plan }
        do {
            guard geteuid() == 0 else { throw SandboxError.invalid("Only root can mount an image.") }
            let place = engine.scratch
            plan.device = try await Threads.run("disk-image") {
                try LoopDevice.attach(try DiskImage.nameless(in: place, limit))
            }
        } catch {
            // In memory the bound still holds as long as it lies below the memory limit.
            guard let memory = limits.memory, limit.bytes >= memory else { return plan }
            try demand(
                FeatureStatus(
                    feature: .diskLimit, available: false,
                    detail:
                        "Layers of \(limit.bytes) bytes do not fit into a memory limit of \(memory), and no ext4 image of that "
                        + "size could be had: \(error) They are bounded to half the memory limit instead.",
                    mend: "Install e2fsprogs and give Grace loop devices, or lower limits.disk below limits.memory."))
            plan.bytes = UInt64(clamping: memory / 2)
        }
        return plan
    }

    /// What a sandbox without a memory limit may take of the host's memory for its layers, twice.
    private static let unlimitedMemory: Int64 = 1 << 30

    private var needsScratch: Bool {
        specification.overlays.isEmpty || specification.overlays.contains { $0.volatile || $0.upper.isEmpty }
    }

    var hasLastingLayers: Bool { specification.overlays.contains(where: \.isLasting) }

    /// A layer that outlives the sandbox must be bounded by whoever made it.
    func checkLastingLayers() throws {
        guard let limit = specification.profile.limits.diskLimit else { return }
        for overlay in specification.overlays where overlay.isLasting {
            guard !BoundedPlace.isBounded(overlay.upper, by: limit) else { continue }
            try demand(
                FeatureStatus(
                    feature: .diskLimit, available: false,
                    detail:
                        "The lasting layer \(overlay.upper) lies on a file system that does not bound it to \(limit.bytes) bytes.",
                    mend:
                        "Mount Grace's state directory with project quotas (ext4: tune2fs -O project,quota; mount -o prjquota), or "
                        + "install e2fsprogs and give Grace loop devices."))
            return
        }
    }

    /// A limit that can't be had: refuses, unless the profile calls it optional; then it is recorded.
    func demand(_ status: FeatureStatus) throws {
        guard specification.profile.optional.contains(status.feature) else { throw SandboxError.missing([status]) }
        if !fallbacks.contains(status) { fallbacks.append(status) }
    }
}
