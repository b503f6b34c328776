internal import Cgroups
internal import CSandbox
internal import FoundationEssentials
internal import Glibc
internal import Linux

extension SandboxEngine {
    /// What this host and caller can do for a sandbox, each tried just now: for `grace doctor`.
    public func features() -> [FeatureStatus] {
        let tried = probe()
        var result: [FeatureStatus] = []
        for feature in Feature.allCases {
            switch feature {
            case .memoryLimit, .swapLimit, .pidsLimit, .cpuLimit, .cpuWeight: result.append(limit(feature))
            case .egressNetwork: result.append(Self.egress())
            case .freeze: result.append(controller(.freezer, feature))
            case .pressure: result.append(controller(.pressure, feature))
            case .diskLimit:
                result.append(diskLimit())
            default: result.append(Self.judge(feature, tried))
            }
        }
        return result
    }

    /// By name: nil for fine, else an errno; or why nothing could be tried.
    private func probe() -> Result<[String: Int32], SandboxError> {
        do {
            try Files.makeDirectory(scratch, mode: 0o700, intermediate: true)
            let (read, write) = try Descriptor.pipe()
            let pid = try Processes.spawn(
                helper, arguments: ["probe", scratch], environment: [:], descriptors: [(1, write.raw), (2, 2)])
            write.close()
            let text = String(decoding: try Files.read(read, limit: 65536), as: UTF8.self)
            let exit = try Processes.waitBlocking(pid)
            guard exit.isSuccess else { return .failure(.helper("\(helper) probe \(scratch) ended with \(exit).")) }
            var result: [String: Int32] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2 { result[String(words[0])] = 0 }
                if words.count == 3 { result[String(words[0])] = Int32(words[2]) ?? EIO }
            }
            return .success(result)
        } catch {
            return .failure(.helper("\(error)"))
        }
    }

    private static func judge(_ feature: Feature, _ tried: Result<[String: Int32], SandboxError>) -> FeatureStatus {
        switch tried {
        case .failure(let error):
            return FeatureStatus(
                feature: feature, available: false, detail: "It could not be tried: \(error)",
                mend: "Check that grace-sandbox is installed and that Grace's state directory can be written.")
        case .success(let results):
            guard let code = results[feature.rawValue] else {
                return FeatureStatus(
                    feature: feature, available: false, detail: "grace-sandbox did not try it.",
                    mend: "Install grace and grace-sandbox of one build.")
            }
            if code == 0 {
                return FeatureStatus(feature: feature, available: true, detail: "Tried just now: it works.")
            }
            if feature == .mappedRoot, geteuid() != 0 {
                return FeatureStatus(
                    feature: feature, available: false,
                    detail:
                        "The caller is not root: its sandboxes know one user alone, and what they write belongs to the caller.",
                    mend: "Run Grace as root.")
            }
            let error = SystemError(call: feature.rawValue, subject: "", code: code)
            return FeatureStatus(
                feature: feature, available: false, detail: "Tried just now: \(error).", mend: mend(feature, code))
        }
    }

    private static func mend(_ feature: Feature, _ code: Int32) -> String {
        let root = geteuid() == 0
        switch feature {
        case .mappedRoot:
            return root
                ? "Use Linux 6.1 or later and a root file system that can be idmapped (ext4, xfs, btrfs; tmpfs from 6.3; no overlay)."
                : "Run Grace as root."
        case .overlay where code == ENODEV: return "Load the module: modprobe overlay."
        case .overlay where code == EINVAL || code == EROFS:
            return
                "Put Grace's state directory (GRACE_STATE_DIR) on ext4, xfs, btrfs or tmpfs; in a container, on a volume."
        case .seccomp: return "Use a kernel with CONFIG_SECCOMP_FILTER."
        case .deniedCalls: return deniedCallsMend(code)
        case .userNamespace where !root, .mountNamespace where !root, .pidNamespace where !root,
            .networkNamespace where !root,
            .ipcNamespace where !root, .cgroupNamespace where !root, .overlay where !root:
            return
                "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, or "
                + "AppArmor's kernel.apparmor_restrict_unprivileged_userns=0), or run Grace as root."
        default: return "Run Grace as root, outside a container that forbids it; see user.max_*_namespaces (sysctl)."
        }
    }

    static func deniedCallsMend(_ code: Int32) -> String {
        code == EBUSY
            ? "Run Grace outside the container or sandbox whose own supervisor already has this process's calls reported to it."
            : "Use Linux 5.0 or later with CONFIG_SECCOMP_FILTER."
    }

    private func limit(_ feature: Feature) -> FeatureStatus {
        guard let cgroups else { return Self.noGroups(feature) }
        var wanted = CgroupLimits()
        switch feature {
        case .memoryLimit: wanted.memory = 64 << 20
        case .swapLimit:
            wanted.memory = 64 << 20
            wanted.swap = 0
        case .pidsLimit: wanted.pids = 16
        case .cpuWeight: wanted.cpuWeight = 50
        default: wanted.cpu = 0.5
        }
        do {
            let name = Scratch.name("doctor-\(feature.rawValue)")
            let group = try Cgroup.create(on: cgroups, path: "\(cgroupParent)/\(name)", limits: wanted)
            try group.removeBlocking()
            return FeatureStatus(
                feature: feature, available: true, detail: "A control group with this limit was made just now.")
        } catch {
            return FeatureStatus(
                feature: feature, available: false, detail: "\(error)",
                mend: "Run Grace as root, or have systemd delegate a control group to this user (Delegate=yes).")
        }
    }

    private func controller(_ controller: Controller, _ feature: Feature) -> FeatureStatus {
        guard let cgroups else { return Self.noGroups(feature) }
        if cgroups.available().contains(controller) {
            return FeatureStatus(
                feature: feature, available: true, detail: "The \(cgroups.layout.rawValue) control groups have it.")
        }
        return FeatureStatus(
            feature: feature, available: false,
            detail: cgroups.missing[controller] ?? "The control groups do not have it.",
            mend: "Use a kernel with control groups of version 2.")
    }

    private static func egress() -> FeatureStatus {
        guard geteuid() == 0 else {
            return FeatureStatus(
                feature: .egressNetwork, available: false, detail: "The caller is not root.", mend: "Run Grace as root."
            )
        }
        do {
            try EgressGateway.probe()
            return FeatureStatus(
                feature: .egressNetwork, available: true,
                detail:
                    "A gateway with rules and sockets of its own was made just now; nothing of the host's network was touched."
            )
        } catch SandboxError.missing(let missing) {
            return missing.first
                ?? FeatureStatus(feature: .egressNetwork, available: false, detail: "It could not be tried.")
        } catch {
            return FeatureStatus(
                feature: .egressNetwork, available: false, detail: "\(error)",
                mend: "Use a kernel with veth and nf_tables, outside a container that forbids network namespaces.")
        }
    }

    private static func noGroups(_ feature: Feature) -> FeatureStatus {
        FeatureStatus(
            feature: feature, available: false, detail: "No control groups are mounted.",
            mend: "Mount them: mount -t cgroup2 none /sys/fs/cgroup.")
    }
}
