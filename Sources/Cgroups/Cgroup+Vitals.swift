internal import CLinux
internal import Linux
internal import Synchronization

/// Three figures of a cgroup that many of them are watched by, once a second or oftener.
public struct CgroupVitals: Sendable, Equatable {
    /// Memory now, page cache included, bytes.
    public var memory: Int64?
    /// Processor time since it was made, seconds.
    public var cpuSeconds: Double?
    /// Processes and threads now.
    public var pids: Int64?
}

/// The open files behind ``Cgroup/vitals()``.
struct VitalFiles: Sendable {
    var memory: Descriptor?
    var cpu: Descriptor?
    var cpuUnit = 1e9
    var pids: Descriptor?
}

extension Cgroup {
    /// Memory, processor time and processes now: one pread each of a file that stays open, and nothing allocated, so that a
    /// thousand cgroups can be watched for next to nothing. `nil` where the host can't tell or the cgroup is gone.
    public func vitals() -> CgroupVitals {
        vitalFiles.withLock { kept in
            let files = kept ?? openVitals()
            kept = files
            return CgroupVitals(
                memory: Self.firstNumber(files.memory),
                cpuSeconds: Self.firstNumber(files.cpu).map { Double($0) / files.cpuUnit },
                pids: Self.firstNumber(files.pids))
        }
    }

    private func openVitals() -> VitalFiles {
        var files = VitalFiles()
        func open(_ controller: Controller, _ legacy: String, _ unified: String) -> Descriptor? {
            guard let place = place(controller) else { return nil }
            return try? Files.open("\(place.directory)/\(place.isUnified ? unified : legacy)", flags: 0)
        }
        files.memory = open(.memory, "memory.usage_in_bytes", "memory.current")
        files.pids = open(.pids, "pids.current", "pids.current")
        files.cpu = open(.cpuacct, "cpuacct.usage", "cpu.stat")
        if files.cpu == nil, let unified { files.cpu = try? Files.open("\(unified.directory)/cpu.stat", flags: 0) }
        if place(.cpuacct)?.isUnified ?? true { files.cpuUnit = 1e6 }  // “usage_usec N”
        return files
    }

    /// The first run of digits in a file.
    private static func firstNumber(_ file: Descriptor?) -> Int64? {
        guard let file else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            let count = file.withRaw { clinux_pread($0, buffer.baseAddress, 64, 0) }
            var result: Int64?
            for index in 0..<max(0, Int(count)) {
                let digit = buffer[index] &- 48
                if digit > 9 {
                    if result != nil { break }
                    continue
                }
                let (tens, overflow) = (result ?? 0).multipliedReportingOverflow(by: 10)
                guard !overflow else { return nil }
                result = tens &+ Int64(digit)
            }
            return result
        }
    }
}
