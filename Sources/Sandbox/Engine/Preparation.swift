internal import Cgroups
internal import CSandbox
internal import Glibc
internal import Linux

/// Everything between a specification and a running sandbox: features weighed, directories and the control group made, the helper
/// started. What it made is taken down again when a later step fails.
final class Preparation {
    let engine: SandboxEngine
    let specification: SandboxSpecification
    let name: String
    /// What says that the sandbox stands on its devices.
    var holds: [Descriptor] = []
    /// A directory in scratch, there once ``makeDirectory()`` was called.
    let directory: String
    private var hasDirectory = false
    var fallbacks: [FeatureStatus] = []
    /// Where throw-away layers go.
    private var scratch = ScratchPlan()
    private var cgroup: Cgroup?
    /// The version-2 part of it, made before PID 1 so that it is born there.
    private var seat: Descriptor?
    private var channel: Channel?
    /// Whether the filter reports what it denies.
    private var reporting = false
    /// Work directories made beside layers of the caller's.
    private var stacked: [String] = []

    init(engine: SandboxEngine, specification: SandboxSpecification, number: UInt64) throws {
        self.engine = engine
        self.specification = specification
        name = Scratch.name("\(number)-\(specification.label)")
        directory = "\(engine.scratch)/\(name)"
    }

    func start() async throws -> Sandbox {
        let privileged = geteuid() == 0
        try Files.makeDirectory(engine.scratch, mode: 0o700, intermediate: true)
        let needsDirectory = !privileged || hasOwnLayersOnDisk
        if needsDirectory { try makeDirectory() }
        try checkLastingLayers()
        scratch = try await planScratch()
        var view = try currentView()
        var overlays = try planOverlays(view)
        var attempts = 0
        // With privileges the group is made while PID 1 mounts its layers; without them it may have to be done without.
        if !privileged { try makeCgroup(privileged: false) }
        reporting = try canReport()

        var mode = CSANDBOX_USER
        if privileged { mode = try mappingIsFree() ? CSANDBOX_MAPPED : CSANDBOX_PLAIN }
        if mode == CSANDBOX_USER {
            try refuseOrRecord(
                FeatureStatus(
                    feature: .mappedRoot, available: false,
                    detail:
                        "The caller is not root, so the sandbox knows one user alone and files it makes belong to the caller.",
                    mend: "Run Grace as root."))
        }
        try weighNetwork(mode)
        while true {
            let greeting = try await launch(mode: mode, overlays: overlays, masks: view.masks.map(\.path))
            switch greeting {
            case .ready(let descriptors) where descriptors.count == 3:
                scratch.device?.descriptor.close()  // mounted now: it lives as long as the sandbox
                guard let channel else { throw SandboxError.helper("The sandbox's control socket is gone.") }
                let egress =
                    specification.profile.network == .egress
                    ? try await Egress.open(
                        specification.profile.egress, sandbox: descriptors[1], outside: engine.outside) : nil
                return try Sandbox(
                    specification: specification, cgroup: cgroup, fallbacks: fallbacks, channel: channel,
                    descriptors: descriptors, leftovers: leftovers, mode: mode, zygote: engine.zygote,
                    layersAreInMemory: scratch.device == nil && !hasLastingLayers, egress: egress,
                    holds: holds)
            case .failed(let step, let code, let detail)
            where mode == CSANDBOX_MAPPED && Self.needsFallback(step, code):
                // This host, or a file system that a layer lies on, has no idmapped layers.
                try refuseOrRecord(
                    FeatureStatus(
                        feature: .mappedRoot, available: false,
                        detail:
                            "\(String(cString: csandbox_step_name(step))) (\(detail)) failed with errno \(code), so root inside is "
                            + "the host's root with few capabilities.",
                        mend:
                            "Use a kernel from 6.1 on and a root file system that can be idmapped (ext4, xfs, btrfs; tmpfs from 6.3)."
                    ))
                await end()
                mode = CSANDBOX_PLAIN
            case .failed(let step, let code, _) where step == Int32(CSANDBOX_STEP_LISTENER.rawValue):
                try refuseOrRecord(Self.unreported(code))
                await end()
                reporting = false
            case .failed(let step, let code, _)
            where code == ENOENT && specification.overlays.isEmpty && attempts < 5 && Self.isAboutAMountPoint(step):
                // A mount came or went on live between reading the table and cloning it: look again.
                attempts += 1
                engine.ground.forget()
                await end()
                removeDirectory()
                if needsDirectory { try makeDirectory() }
                view = try currentView()
                overlays = try planOverlays(view)
            case .failed(let step, let code, let detail):
                throw SandboxError.setup(
                    step: String(cString: csandbox_step_name(step)), errno: code, detail: detail,
                    advice: Advice.forStep(step, code, mode))
            case .ready, .silent:
                throw SandboxError.helper(
                    "\(engine.helper) ended before the sandbox was ready, without saying why; is it of the same build as this program? "
                        + (engine.zygote.death ?? "")
                )
            }
        }
    }

    /// Takes down what was made. Errors are of no use any more: the first one is being reported.
    func discard() async {
        await end()
        if let cgroup {
            try? await cgroup.kill(timeout: .seconds(5))
            try? await cgroup.remove()
        } else if seat != nil, let host = engine.cgroups {
            // Who was born there may be dead and not yet gone: this waits for that.
            let path = cgroupPath
            try? await Threads.run("seat") { try host.remove(path) }
        }
        for path in leftovers { try? Scratch.remove(path) }
    }

    private func end() async {
        guard let channel else { return }
        channel.close()
        await channel.finished()
        self.channel = nil
    }

    // MARK: Steps

    private static func needsFallback(_ step: Int32, _ code: Int32) -> Bool {
        let steps = [
            CSANDBOX_STEP_USER_NAMESPACE, CSANDBOX_STEP_ID_MAP, CSANDBOX_STEP_IDMAP_LAYER, CSANDBOX_STEP_BECOME_MAPPED,
            CSANDBOX_STEP_ENTER_USER_NAMESPACE,
        ]
        if steps.contains(where: { Int32($0.rawValue) == step }) { return true }
        // Before 5.19 overlayfs refuses idmapped layers; some file systems can be idmapped but then not written.
        return step == Int32(CSANDBOX_STEP_OVERLAY.rawValue) && [EINVAL, EROFS, EOVERFLOW].contains(code)
    }

    private static func isAboutAMountPoint(_ step: Int32) -> Bool {
        [CSANDBOX_STEP_LAYER, CSANDBOX_STEP_ATTACH].contains { Int32($0.rawValue) == step }
    }

    private var fresh: [String] {
        specification.sharesTemporary ? HostView.freshBesidesTemporary : HostView.fresh
    }

    private func currentView() throws -> HostView {
        let masks = specification.masks + specification.profile.hide + [engine.scratch]
        guard specification.sharesTemporary else { return try engine.ground.view(hiding: masks) }
        return HostView.current(
            mounts: try MountInfo.read(), mask: masks, secrets: engine.ground.secretsFoundAhead(), fresh: fresh)
    }

    /// The range of ids that the mapping takes must be nobody's: a process of that user could signal the sandbox.
    private func mappingIsFree() throws -> Bool {
        guard engine.mapsRoot else {
            try refuseOrRecord(
                FeatureStatus(feature: .mappedRoot, available: false, detail: "It was switched off.", mend: nil))
            return false
        }
        guard let taken = try engine.ground.taken(from: PlanWriter.mappedFirst) else { return true }
        try refuseOrRecord(
            FeatureStatus(
                feature: .mappedRoot, available: false,
                detail: "The ids from \(PlanWriter.mappedFirst) on are not free on this host: \(taken).",
                mend: "Give that user, or that range, lower numbers."))
        return false
    }

    private func canReport() throws -> Bool {
        let code = engine.canReport()
        if code != 0 { try refuseOrRecord(Self.unreported(code)) }
        return code == 0
    }

    private static func unreported(_ code: Int32) -> FeatureStatus {
        let error = SystemError(call: "seccomp", subject: "user notification", code: code)
        return FeatureStatus(
            feature: .deniedCalls, available: false,
            detail: "Calls that the filter denies are not reported, so nobody counts them (\(error)).",
            mend: SandboxEngine.deniedCallsMend(code))
    }

    private func refuseOrRecord(_ status: FeatureStatus) throws {
        if specification.profile.require.contains(status.feature) { throw SandboxError.missing([status]) }
        fallbacks.append(status)
    }

    /// A way out needs root; the host's network is given as it is asked for, and recorded each time.
    private func weighNetwork(_ mode: csandbox_mode) throws {
        let profile = specification.profile
        if profile.network == .egress {
            if mode == CSANDBOX_USER {
                throw SandboxError.missing([
                    FeatureStatus(
                        feature: .egressNetwork, available: false,
                        detail: "The caller is not root, and only root can join a sandbox to a gateway.",
                        mend: "Run Grace as root, or use a profile with network: loopback.")
                ])
            }
            _ = try EgressGateway.tool("ip", package: "iproute2")
            _ = try EgressGateway.tool("nft", package: "nftables")
        }
        guard profile.network == .host else { return }
        try refuseOrRecord(
            FeatureStatus(
                feature: .networkNamespace, available: false,
                detail:
                    "The profile asks for the host's own network: what the sandbox sent and whom it reached is not known.",
                mend: "Use network: egress with the places that are needed."))
        let start =
            ((try? Files.readString("/proc/sys/net/ipv4/ip_unprivileged_port_start"))?
            .split(whereSeparator: \.isWhitespace).first).flatMap { Int($0) } ?? 1024
        guard start < 1024 else { return }
        throw SandboxError.invalid(
            "The host lets every user have ports from \(start) on (sysctl net.ipv4.ip_unprivileged_port_start), so that a sandbox with "
                + "network: host could take a port that live needs. Set it to 1024, or use network: egress or loopback."
        )
    }

    private func makeDirectory() throws {
        try Files.makeDirectory(directory, mode: 0o700, intermediate: false)
        hasDirectory = true
        try Files.makeDirectory("\(directory)/stage", mode: 0o700, intermediate: false)
    }

    /// Whether layers of its own go to ``directory``. Bounded ones lie elsewhere, and so do those that the caller gives; each directory
    /// that comes and goes on disk costs more than all that memory does.
    private var hasOwnLayersOnDisk: Bool {
        guard specification.profile.limits.disk == nil else { return false }
        let given = specification.overlays
        return given.isEmpty
            || given.contains { overlay in
                overlay.upper.isEmpty
                    || ([overlay.upper] + overlay.lowers).contains { HostView.isBelow($0, [engine.scratch]) }
            }
    }

    /// What the sandbox covers, in its own mount namespace, with file systems of its own while it is built. No layer may lie below.
    private var stage: String { hasDirectory ? "\(directory)/stage" : engine.scratch }

    private func removeDirectory() {
        guard hasDirectory else { return }
        try? Scratch.remove(directory)
        hasDirectory = false
    }

    private var leftovers: [String] { (hasDirectory ? [directory] : []) + stacked }

    private func planOverlays(_ view: HostView) throws -> [PlannedOverlay] {
        let planner = OverlayPlanner(
            directory: directory, bounded: specification.profile.limits.disk != nil, view: view)
        var planned = try planner.plan(specification.overlays)
        if geteuid() != 0 {
            planned = try RootSplitter(
                directory: directory, mounts: try MountInfo.read().compactMap(\.mountPoint.string),
                fresh: fresh
            ).split(planned)
        }
        try recordDevices(planned)
        stacked = planned.compactMap { $0.under.map { "\($0.base)/\($0.work)" } }
        return planned
    }

    private func makeCgroup(privileged: Bool) throws {
        let limits = specification.profile.limits
        var wanted = CgroupLimits()
        wanted.memory = limits.memory
        wanted.swap = limits.swap
        wanted.pids = limits.pids.map { $0 + 1 }  // PID 1 is ours, not the commands'
        wanted.cpu = limits.cpu
        wanted.cpuWeight = limits.cpuWeight
        guard let host = engine.cgroups else {
            try drop(
                &wanted, .memoryLimit, .swapLimit, .pidsLimit, .cpuLimit, .cpuWeight,
                reason: "This host has no control groups mounted.")
            return
        }
        while true {
            do {
                cgroup = try Cgroup.create(on: host, path: cgroupPath, limits: wanted, seated: seat != nil)
                return
            } catch CgroupError.limit(let field, _, let reason) {
                guard let feature = Self.features[field] else {
                    throw SandboxError.invalid("The limit “\(field)” failed: \(reason)")
                }
                try drop(&wanted, feature, reason: reason)
            } catch {
                // No group at all. Where nothing is demanded of one, an unprivileged caller goes without.
                guard !privileged else { throw error }
                try drop(
                    &wanted, .memoryLimit, .swapLimit, .pidsLimit, .cpuLimit, .cpuWeight, reason: "\(error)")
                return
            }
        }
    }

    private var cgroupPath: String { "\(engine.cgroupParent)/\(name)" }

    private static let features: [String: Feature] = [
        "memory": .memoryLimit, "swap": .swapLimit, "pids": .pidsLimit, "cpu": .cpuLimit,
        "cpuWeight": .cpuWeight,
    ]

    /// Does without limits, when they are set and the profile calls them optional; refuses otherwise.
    private func drop(_ wanted: inout CgroupLimits, _ features: Feature..., reason: String) throws {
        var missing: [FeatureStatus] = []
        for feature in features {
            let isSet: Bool
            switch feature {
            case .memoryLimit: isSet = wanted.memory != nil
            case .swapLimit: isSet = wanted.swap != nil
            case .pidsLimit: isSet = wanted.pids != nil
            case .cpuWeight: isSet = wanted.cpuWeight != nil
            default: isSet = wanted.cpu != nil
            }
            guard isSet || specification.profile.require.contains(feature) else { continue }
            let status = FeatureStatus(
                feature: feature, available: false, detail: reason,
                mend: "Run Grace as root, have systemd delegate a control group to this user (Delegate=yes), or list "
                    + "\(feature.rawValue) under the profile's “optional”.")
            if specification.profile.optional.contains(feature) {
                fallbacks.append(status)
            } else {
                missing.append(status)
            }
            switch feature {
            case .memoryLimit: wanted.memory = nil
            case .swapLimit: wanted.swap = nil
            case .pidsLimit: wanted.pids = nil
            case .cpuWeight: wanted.cpuWeight = nil
            default: wanted.cpu = nil
            }
        }
        if !missing.isEmpty { throw SandboxError.missing(missing) }
    }

    private func filter(_ mode: csandbox_mode) throws -> Descriptor {
        try engine.filters.program(
            for: specification.profile.seccomp, capabilities: specification.profile.capabilities, reporting: reporting,
            keepsProject: mode == CSANDBOX_PLAIN)
    }

    private func launch(
        mode: csandbox_mode, overlays: [PlannedOverlay], masks: [String]
    ) async throws -> Channel.Greeting {
        var ends: [Int32] = [-1, -1]
        let made = csandbox_control_pair(&ends)
        guard made == 0 else { throw SystemError(call: "socketpair", subject: "control", code: -made) }
        let ours = Descriptor(owning: ends[0])
        let theirs = Descriptor(owning: ends[1])
        let late = geteuid() == 0
        let joins = late ? [] : try cgroup?.joinDescriptors(seated: false) ?? []
        if late, seat == nil, let host = engine.cgroups { seat = try Cgroup.seat(on: host, path: cgroupPath) }
        let showCgroup = (late ? engine.cgroups != nil : cgroup != nil) && engine.cgroups?.layout == .unified
        let plan = try PlanWriter(
            mode: mode, specification: specification, overlays: overlays, masks: masks, stage: stage,
            cgroups: joins.count, showCgroup: showCgroup, reporting: reporting, scratch: scratch, late: late,
            seated: seat != nil, weaken: engine.weaken
        ).write()
        let channel = try Channel(socket: ours)
        self.channel = channel
        try engine.zygote.spawn(
            [plan, theirs] + (late ? [] : [try filter(mode)]) + joins + (seat.map { [$0] } ?? []), for: channel)
        theirs.close()
        if late {
            // Meanwhile PID 1 mounts its layers.
            if cgroup == nil { try makeCgroup(privileged: true) }
            channel.join(try filter(mode), try cgroup?.joinDescriptors(seated: seat != nil) ?? [])
        }
        return await channel.greeting()
    }
}
