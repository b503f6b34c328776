/// Something that a host may or may not be able to do for a sandbox.
public enum Feature: String, Codable, CaseIterable, Sendable, Hashable {
    /// Root inside is nobody outside, and what it writes is owned on disk exactly as on live (idmapped mounts, Linux 5.12;
    /// with overlays 5.19).
    case mappedRoot = "mapped_root"
    /// A user namespace made by an unprivileged caller.
    case userNamespace = "user_namespace"
    case mountNamespace = "mount_namespace"
    case pidNamespace = "pid_namespace"
    case networkNamespace = "network_namespace"
    case ipcNamespace = "ipc_namespace"
    case cgroupNamespace = "cgroup_namespace"
    /// An overlay over the live root, made by this caller.
    case overlay
    case seccomp
    /// Calls that the filter denies are reported, so that they can be counted (seccomp user notification, Linux 5.0).
    case deniedCalls = "denied_calls"
    /// A way out of the sandbox for what a profile's `egress` allows: veth, nftables, and the programs `ip` and `nft`.
    case egressNetwork = "egress_network"
    case memoryLimit = "memory_limit"
    case swapLimit = "swap_limit"
    case pidsLimit = "pids_limit"
    case cpuLimit = "cpu_limit"
    /// A share of CPU time under contention.
    case cpuWeight = "cpu_weight"
    /// Bounded upper layers: a tmpfs, an ext4 image or a project quota.
    case diskLimit = "disk_limit"
    /// Freezing a control group, for snapshots of stateful paths.
    case freeze
    /// Pressure figures per control group (cpu, memory and io stall).
    case pressure
}

/// Whether a host has a ``Feature``, and what to do when it has not.
public struct FeatureStatus: Codable, Equatable, Sendable {
    public let feature: Feature
    public let available: Bool
    /// What was tried and what came of it: a sentence.
    public let detail: String
    /// What a person can do about it; `nil` when nothing is missing.
    public let mend: String?

    public init(feature: Feature, available: Bool, detail: String, mend: String? = nil) {
        self.feature = feature
        self.available = available
        self.detail = detail
        self.mend = mend
    }
}
