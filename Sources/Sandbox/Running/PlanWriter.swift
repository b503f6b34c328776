internal import CSandbox
internal import FoundationEssentials
internal import Linux

/// Writes a sandbox's plan as `struct csandbox_plan`, in a memfd.
struct PlanWriter {
    /// Root inside is the host's 2^31, and so on for as many ids as there are: none of them is anybody's on the host (FACTS).
    static let mappedFirst: UInt32 = 2_147_483_648
    static let mappedCount: UInt32 = 2_147_483_647

    var mode: csandbox_mode
    var specification: SandboxSpecification
    var overlays: [PlannedOverlay]
    var masks: [String]
    var stage: String
    var cgroups: Int
    var showCgroup: Bool
    /// Whether the filter reports denied calls.
    var reporting = false
    var scratch = ScratchPlan()
    /// Whether the filter and the control groups are handed over later.
    var late = false
    /// Whether PID 1 is born into a version-2 control group.
    var seated = false
    /// See ``SandboxEngine/weaken``.
    var weaken: (@Sendable (inout csandbox_plan) -> Void)?

    func write() throws -> Descriptor {
        let profile = specification.profile
        var writer = FlatWriter(head: MemoryLayout<csandbox_plan>.size)
        var plan = csandbox_plan()
        plan.magic = CSANDBOX_MAGIC
        plan.version = CSANDBOX_VERSION
        plan.mode = mode.rawValue
        plan.flags = CSANDBOX_SECCOMP.rawValue
        if profile.network != .host { plan.flags |= CSANDBOX_OWN_NETWORK.rawValue }
        if profile.network == .loopback || profile.network == .egress { plan.flags |= CSANDBOX_LOOPBACK_UP.rawValue }
        // A setuid program of live would be a door where root is not mapped: there it stays shut.
        if profile.noNewPrivileges || mode != CSANDBOX_MAPPED { plan.flags |= CSANDBOX_NO_NEW_PRIVS.rawValue }
        if profile.quietServices { plan.flags |= CSANDBOX_QUIET_SERVICES.rawValue }
        if late { plan.flags |= CSANDBOX_LATE.rawValue }
        if seated { plan.flags |= CSANDBOX_SEATED.rawValue }
        if specification.sharesTemporary { plan.flags |= CSANDBOX_SHARED_TEMPORARY.rawValue }
        if reporting { plan.flags |= CSANDBOX_LISTENER.rawValue }
        if showCgroup { plan.flags |= CSANDBOX_CGROUP_VIEW.rawValue }
        plan.mapped_first = Self.mappedFirst
        plan.mapped_count = Self.mappedCount
        plan.cgroup_count = UInt32(cgroups)
        plan.capabilities = Capabilities.mask(profile.capabilities)
        if mode == CSANDBOX_PLAIN { plan.capabilities &= Capabilities.mask(Capabilities.plain) }
        // The host's own root with the host's own network: ports below 1024 stay live's.
        if mode == CSANDBOX_PLAIN, profile.network == .host {
            plan.capabilities &= ~Capabilities.mask(["NET_BIND_SERVICE"])
        }
        plan.resolver =
            profile.network == .egress
            ? writer.string(
                "# Grace's filtering resolver: it answers for the names that the profile allows.\nnameserver \(EgressRuleset.gateway4)\n"
            )
            : ~0
        plan.scratch_bytes = scratch.bytes
        plan.scratch_inodes = scratch.inodes
        plan.scratch_device = scratch.device.map { writer.string($0.path) } ?? ~0
        plan.temporary_bytes = UInt64(clamping: profile.limits.memory.map { $0 / 2 } ?? 0)
        plan.open_files = UInt64(clamping: profile.limits.files ?? 0)
        plan.hostname = writer.string(specification.hostname)
        plan.stage = writer.string(stage)
        plan.mask_count = UInt32(masks.count)
        let maskOffsets = masks.map { writer.string($0) }
        let planned = overlays.map { $0.write(&writer) }
        plan.overlay_count = UInt32(planned.count)
        plan.overlays = writer.array(planned)
        plan.masks = writer.array(maskOffsets)
        _ = writer.string("")
        plan.size = UInt32(writer.bytes.count)
        weaken?(&plan)
        writer.head(plan)
        let file = try Descriptor.memory(name: "grace-plan")
        try Files.write(file, writer.data)
        return file
    }
}

/// An overlay as the C side wants it: paths taken apart, and layers of live's own file system dealt with.
struct PlannedOverlay: Equatable {
    var mountPoint: String
    var lowers: [String]
    /// The common parent of upper and work, and their names below it; `nil`: the private tmpfs.
    var upper: (base: String, upper: String, work: String)?
    /// A durable overlay with one extra layer on live's own file system: that layer's parent, its name, a work directory's name.
    var under: (base: String, upper: String, work: String)?
    var volatile: Bool
    /// The lowest layer where it is not the mount point itself.
    var live: String?

    static func == (left: PlannedOverlay, right: PlannedOverlay) -> Bool {
        left.mountPoint == right.mountPoint && left.lowers == right.lowers && left.volatile == right.volatile
            && left.live == right.live
            && left.upper.map { [$0.base, $0.upper, $0.work] } == right.upper.map { [$0.base, $0.upper, $0.work] }
            && left.under.map { [$0.base, $0.upper, $0.work] } == right.under.map { [$0.base, $0.upper, $0.work] }
    }

    func write(_ writer: inout FlatWriter) -> csandbox_overlay {
        var overlay = csandbox_overlay()
        overlay.mount_point = writer.string(mountPoint)
        overlay.lower_count = UInt32(lowers.count)
        let offsets = lowers.map { writer.string($0) }
        withUnsafeMutableBytes(of: &overlay.lowers) { raw in
            for (index, offset) in offsets.enumerated() {
                raw.storeBytes(of: offset, toByteOffset: index * MemoryLayout<UInt32>.stride, as: UInt32.self)
            }
        }
        overlay.base = ~0
        overlay.live = live.map { writer.string($0) } ?? ~0
        if let upper {
            overlay.base = writer.string(upper.base)
            overlay.upper = writer.string(upper.upper)
            overlay.work = writer.string(upper.work)
        }
        if let under {
            overlay.stacked = 1
            overlay.under_base = writer.string(under.base)
            overlay.under_upper = writer.string(under.upper)
            overlay.under_work = writer.string(under.work)
        }
        overlay.is_volatile = volatile ? 1 : 0
        return overlay
    }
}
