internal import Cgroups
internal import Linux

/// Reads what live feels on this host, without what the trials themselves feel: a trial waits for its own small share of the
/// processors most of the time, and that is no harm to live.
///
/// Live's parts are the control groups beside the trials' own on the way down from the version 2 root (`system.slice`,
/// `user.slice`), and the host as a whole less the trials. “Some task waited” of two groups may overlap, so the latter is the
/// least that live can have felt; it speaks for processes that lie in the root itself. Where no version 2 tree is mounted the
/// trials can't be told from the rest: memory and io are then the whole host's, cpu is not counted.
struct LiveReader: Sendable {
    /// The version 2 tree; `nil` where there is none.
    var unifiedRoot: String?
    /// The control group of all sandboxes, below that root.
    var group: String
    var pressureRoot = "/proc/pressure"
    var meminfo = "/proc/meminfo"

    func sample() -> LiveSample {
        var sample = LiveSample(memoryAvailable: try? HostFacts.memory(file: meminfo).available)
        for resource in LiveResource.allCases {
            var parts = siblings(resource)
            if let host = stalled("\(pressureRoot)/\(resource.rawValue)") {
                if let unifiedRoot {
                    let own = stalled("\(unifiedRoot)/\(group)/\(resource.rawValue).pressure") ?? 0
                    parts["the host without its trials"] = host - own
                } else if resource != .cpu {
                    parts["the host"] = host
                }
            }
            sample.stalled[resource] = parts
        }
        return sample
    }

    /// What can't be watched here, with the reason; for the evidence.
    func absences() -> [String] {
        let sample = sample()
        return LiveResource.allCases.filter { sample.stalled[$0]?.isEmpty ?? true }.map {
            "live_pressure: \($0.rawValue) is not watched: this kernel or its control groups don't count it (psi=1, version 2)"
        }
    }

    private func siblings(_ resource: LiveResource) -> [String: Double] {
        guard let unifiedRoot else { return [:] }
        var parts: [String: Double] = [:]
        var prefix = ""
        for own in group.split(separator: "/") {
            for entry in (try? Files.entries(unifiedRoot + prefix)) ?? [] {
                let name = String(decoding: entry, as: UTF8.self)
                guard name != own else { continue }
                if let seconds = stalled("\(unifiedRoot)\(prefix)/\(name)/\(resource.rawValue).pressure") {
                    parts[String(prefix.dropFirst()) + (prefix.isEmpty ? "" : "/") + name] = seconds
                }
            }
            prefix += "/\(own)"
        }
        return parts
    }

    /// Seconds in which some task waited.
    private func stalled(_ path: String) -> Double? {
        (try? Pressure.read(path: path)).map { Double($0.some.total) / 1e6 }
    }
}

extension LiveGuard {
    /// The guard of this host, on its own figures and clock.
    static func ofThisHost(_ limits: LiveLimits, cgroups: CgroupHost, group: String) throws -> LiveGuard {
        let reader = LiveReader(unifiedRoot: cgroups.unifiedRoot, group: group)
        let clock = ContinuousClock()
        let start = clock.now
        var live = LiveGuard(
            limits: limits, memoryTotal: try HostFacts.memory().total, sample: { reader.sample() },
            now: { (clock.now - start) / .seconds(1) }, sleep: { try await clock.sleep(for: .seconds($0)) })
        live.absences = { reader.absences() }
        return live
    }
}
