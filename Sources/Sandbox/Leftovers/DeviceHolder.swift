internal import Glibc
public import Linux

/// Who keeps a file system busy: for `grace doctor --holds`.
public struct DeviceHolder: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, Sendable {
        /// A running sandbox: its layers stand on the device.
        case sandbox
        /// A fork whose layers lie on the device.
        case fork
        /// A process in another mount namespace that still has the device mounted.
        case process
    }
    public var kind: Kind
    /// The sandbox's, fork's or program's name.
    public var name: String
    /// The agent of a sandbox, or the process; `nil` for a fork.
    public var pid: Int32?
    /// Where it lies, as whoever holds it sees it.
    public var place: String

    private static let mark = "grace-holds"

    /// Descriptors whose names, which everybody who may look at the process can read in /proc, say that a sandbox stands on devices:
    /// nothing of it is on disk, and nothing outlives the process. A name takes 249 bytes, so that many devices need several.
    ///
    /// - Throws: `SystemError` where there can be none (no descriptor or memory is left): the sandbox must not start then, since
    ///   nobody would be told by name who keeps its devices busy. Its plan is a memfd too, and could hardly be made either.
    static func record(_ devices: [String], of sandbox: String) throws -> [Descriptor] {
        try stride(from: 0, to: devices.count, by: 8).map { first in
            let some = devices[first..<min(first + 8, devices.count)].joined(separator: ",")
            return try Descriptor.memory(name: "\(mark) \(sandbox) \(some)")
        }
    }

    /// The device that a person means: a block device, a mount point or any file on it, or `MAJOR:MINOR`.
    ///
    /// - Throws: ``SandboxError/invalid(_:)`` where it is none of these.
    public static func device(named name: String) throws -> DeviceNumber {
        let numbers = name.split(separator: ":").compactMap { UInt32($0) }
        if numbers.count == 2 { return DeviceNumber(major: numbers[0], minor: numbers[1]) }
        // Symbolic links (/dev/disk/by-id/…) are followed.
        guard let opened = try? Files.open(name, flags: Files.Flag.path), let status = try? Files.status(of: opened)
        else {
            throw SandboxError.invalid(
                "“\(name)” is no device: name a block device (/dev/sdb1), a mount point, or its numbers (8:17).")
        }
        return status.kind == .blockDevice ? status.special : status.device
    }

    /// Who holds a device.
    ///
    /// - Parameters:
    ///   - device: See ``device(named:)``.
    ///   - forks: Where forks lie.
    /// - Returns: Sandboxes, forks, processes, in this order.
    public static func find(_ device: DeviceNumber, forks: String) -> [DeviceHolder] {
        var result = sandboxes(device)
        for name in ScratchLeftovers.names(forks) {
            let home = "\(forks)/\(name)"
            for place in ["\(home)/bounded", home] where device == ((try? Files.status(place)) ?? nil)?.device {
                result.append(DeviceHolder(kind: .fork, name: name, place: place))
                break
            }
        }
        return result + processes(device)
    }

    /// Sandboxes of every agent that may be looked at, by their records.
    private static func sandboxes(_ device: DeviceNumber) -> [DeviceHolder] {
        var result: [DeviceHolder] = []
        for process in ScratchLeftovers.names("/proc") {
            // Anybody may give a memfd any name: what strangers say of their own counts for nothing.
            guard let pid = Int32(process), let owner = (try? Files.status("/proc/\(process)"))??.uid,
                owner == 0 || owner == geteuid()
            else { continue }
            for number in ScratchLeftovers.names("/proc/\(process)/fd") {
                let place = "/proc/\(process)/fd/\(number)"
                guard let link = (try? Files.readlink(place))?.string, link.hasPrefix("/memfd:\(mark) ") else {
                    continue
                }
                let words = link.split(separator: " ")
                guard words.count >= 3, words[2].split(separator: ",").contains(Substring("\(device)")) else {
                    continue
                }
                result.append(DeviceHolder(kind: .sandbox, name: String(words[1]), pid: pid, place: place))
            }
        }
        return result.sorted { $0.name < $1.name }
    }

    /// Processes of other mount namespaces, one for each namespace.
    private static func processes(_ device: DeviceNumber) -> [DeviceHolder] {
        var seen: Set<String> = []
        if let own = try? Files.readlink("/proc/self/ns/mnt").string { seen.insert(own) }
        var result: [DeviceHolder] = []
        for name in ScratchLeftovers.names("/proc") {
            // Kernel threads (children of process 2) would stand for the namespace of init.
            guard let pid = Int32(name), pid != 2, Processes.parent(of: pid) != 2,
                let namespace = (try? Files.readlink("/proc/\(pid)/ns/mnt"))?.string,
                seen.insert(namespace).inserted, let mounts = try? MountInfo.read(pid: name),
                let mount = mounts.first(where: { $0.device == device })
            else { continue }
            let program = (try? Files.readString("/proc/\(pid)/comm"))?.filter { $0 != "\n" } ?? "?"
            result.append(
                DeviceHolder(
                    kind: .process, name: program, pid: pid, place: mount.mountPoint.string ?? mount.mountPoint.display)
            )
        }
        return result
    }
}
