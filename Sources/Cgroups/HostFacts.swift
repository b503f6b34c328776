internal import Linux

/// What `grace doctor` and evidence say of a host.
public struct HostFacts: Codable, Equatable, Sendable {
    /// The kernel's release: `6.1.0-18-amd64`.
    public var kernel: String
    /// The processor's architecture: `x86_64`.
    public var machine: String
    /// The host's name.
    public var name: String
    /// The random id of this boot.
    public var bootID: String
    /// Seconds since boot.
    public var uptime: Double
    /// Processors this process may use.
    public var cores: Int
    /// Memory in all, bytes.
    public var memory: Int64
    /// Memory a new program may get without swapping, bytes.
    public var memoryAvailable: Int64
    /// Swap in all, bytes.
    public var swap: Int64
    /// How cgroups are laid out; `nil` where there are none.
    public var layout: CgroupHost.Layout?
    /// Controllers to be had, by name.
    public var controllers: [String]
    /// For each controller that isn't: why, and how to mend it. Under `cgroups` where there are none at all.
    public var missing: [String: String]
    /// Whether this process has CAP_SYS_ADMIN, without which there are no sandboxes.
    public var isAdministrator: Bool

    /// Looks at this host.
    public static func read(cgroupRoot: String = "/sys/fs/cgroup") throws -> HostFacts {
        let names = try Kernel.names()
        let memory = parse(meminfo: try Files.readString("/proc/meminfo", limit: 1 << 20))
        var facts = HostFacts(
            kernel: names.release, machine: names.machine, name: names.host, bootID: try BootID.bootID(),
            uptime: BootID.bootSeconds(), cores: Kernel.onlineProcessors(), memory: memory["MemTotal"] ?? 0,
            memoryAvailable: memory["MemAvailable"] ?? 0, swap: memory["SwapTotal"] ?? 0, layout: nil, controllers: [],
            missing: [:], isAdministrator: Kernel.hasCapability(21))
        do {
            let host = try CgroupHost.detect(root: cgroupRoot)
            facts.layout = host.layout
            facts.controllers = host.available().map(\.rawValue).sorted()
            for (controller, reason) in host.missing { facts.missing[controller.rawValue] = reason }
        } catch {
            facts.missing["cgroups"] = "\(error)"
        }
        return facts
    }

    /// Memory in all and what a new program may get without swapping, in bytes.
    ///
    /// - Throws: `SystemError`, `EINVAL` where the file names neither (`MemAvailable` is there since Linux 3.14).
    public static func memory(file: String = "/proc/meminfo") throws -> (total: Int64, available: Int64) {
        let figures = parse(meminfo: try Files.readString(file, limit: 1 << 20))
        guard let total = figures["MemTotal"], let available = figures["MemAvailable"] else {
            throw SystemError(call: "parse", subject: file, code: 22)
        }
        return (total, available)
    }

    /// Bytes by name; the file's `kB` are KiB.
    static func parse(meminfo text: String) -> [String: Int64] {
        var result: [String: Int64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if words.count >= 2, let value = Int64(words[1]) {
                result[String(words[0])] = words.count > 2 ? value * 1024 : value
            }
        }
        return result
    }
}
