import Agent
import ArgumentParser
import Cgroups
import Documents
import Glibc
import Linux
import Local
import Sandbox

extension Doctor {
    /// Everything that a killed process of Grace's may have left on this host. Processes go first, then what they used.
    func leftovers() -> Leftovers {
        let places = placesOptions.places
        var sources: [any LeftoverSource] = []
        if let host = try? CgroupHost.detect() {
            for parent in Set(["grace", configuredGroup].compactMap { $0 }).sorted() {
                sources.append(CgroupLeftovers(host: host, parent: parent))
            }
        }
        sources.append(ForkLeftovers(root: places.forks))
        sources.append(ScratchLeftovers(directories: [places.scratch]))
        sources.append(ScratchLeftovers(directories: [], temporary: places.state))
        return Leftovers(sources)
    }

    /// The control group of `agent.yaml`, where there is one that can be read.
    private var configuredGroup: String? {
        let file = placesOptions.places.agentFile
        guard let text = try? Files.readString(file) else { return nil }
        return DocumentReader(file: file, text: text).root?.mapping()?["cgroup"]?.string()
    }

    func removeLeftovers() throws {
        let left: [(leftover: Leftover, problem: String?)]
        left = dryRun ? leftovers().find().map { ($0, nil) } : leftovers().clean()
        if json {
            let list = try left.map { item in
                guard case .object(var members) = try JSON(encoding: item.leftover) else { return JSON.null }
                members["problem"] = item.problem.map { .string($0) } ?? .null
                return .object(members)
            }
            Terminal.line(
                JSON.object([(dryRun ? "found" : "cleaned"): .array(list), "dry_run": .bool(dryRun)]).canonicalText)
        } else {
            for (leftover, problem) in left {
                let name = "\(leftover.kind.rawValue)"
                if let problem {
                    line(.bad, name, "\(leftover.place) could not be removed: \(problem)", nil)
                } else {
                    line(
                        dryRun ? .low : .good, name,
                        "\(dryRun ? "would remove" : "removed") \(leftover.place): \(leftover.detail)", nil)
                }
            }
            if left.isEmpty { Terminal.line("Nothing of killed processes is left.") }
        }
        if left.contains(where: { $0.problem != nil }) { throw ExitCode(1) }
    }

    func showHolders(of name: String) throws {
        let places = placesOptions.places
        let device: DeviceNumber
        do {
            device = try DeviceHolder.device(named: name)
        } catch {
            throw Failure("\(error)", code: 2)
        }
        let holders = DeviceHolder.find(device, forks: places.forks)
        if json {
            Terminal.line(
                JSON.object(["device": .string("\(device)"), "holders": try JSON(encoding: holders)]).canonicalText)
            return
        }
        if holders.isEmpty { return Terminal.line("Nothing of Grace's holds \(name) (\(device)).") }
        var table = Table("KIND", "NAME", "PID", "PLACE")
        for holder in holders {
            table.add(holder.kind.rawValue, holder.name, holder.pid.map { "\($0)" } ?? "-", holder.place)
        }
        table.show()
    }
}
