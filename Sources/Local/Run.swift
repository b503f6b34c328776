internal import Cgroups
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Sandbox

/// `grace run`: a command in a sandbox over this host; nothing of what it writes stays.
package struct Run {
    let options: RunOptions

    /// - Returns: The exit code: the command's own, 128 and more for a signal.
    /// - Throws: ``Failure`` with code 2 for wrong input, 125 where Grace failed, 126 and 127 as shells have them.
    package static func execute(_ options: RunOptions) async throws -> Int32 {
        guard !options.command.isEmpty else { throw Failure("Give a command: grace run -- CMD…", code: 2) }
        do {
            return try await Run(options: options).execute()
        } catch let error as SandboxError {
            throw Failure("\(error)", code: error.shellCode)
        } catch let error as Failure {
            throw Failure(error.description, code: error.code == 2 ? 2 : 125)
        } catch {
            throw Failure("\(error)", code: 125)
        }
    }

    private func execute() async throws -> Int32 {
        let ahead = HeadStart(helper: try SandboxEngine.locateHelper())
        let unfinished = Unfinished()
        let relay = try SignalRelay { unfinished.remove() }
        defer { relay.stop() }
        let scratch = try Temporary.directory("grace-run")
        unfinished.add(scratch)
        defer { try? Files.removeTree(scratch) }
        let engine = SandboxEngine(
            cgroups: try? CgroupHost.detect(), ahead: ahead, scratch: scratch, storedFilters: options.places.ownFilters)
        let effective = try profile()
        var line = Command(arguments: options.command)
        line.environment = Self.environment()
        line.directory = Processes.variable("PWD") ?? "/"
        let specification = SandboxSpecification(
            profile: effective, masks: options.places.all, hostname: "grace", label: "run-\(getpid())")
        let begin = ContinuousClock.now
        let result = try await engine.run(specification, line, signals: relay)
        let elapsed = (ContinuousClock.now - begin) / .seconds(1)
        if options.json || options.kpi != nil {
            let report = JSON.object([
                "exit_code": .integer(Int64(result.exit.shellCode)), "duration_seconds": .number(elapsed),
                "outcome": try JSON(encoding: result.outcome), "fallbacks": try JSON(encoding: result.fallbacks),
                "profile": .string(effective.name),
            ]).canonicalText
            if let kpi = options.kpi {
                try ReportFile.write(Data((report + "\n").utf8), to: kpi.absolute)
            }
            if options.json { FileHandleless.write(report + "\n", to: STDERR_FILENO) }
        }
        for fallback in result.fallbacks {
            Terminal.error("this sandbox did without \(fallback.feature.rawValue): \(fallback.detail)")
        }
        if let breach = result.outcome.breach { Terminal.error(breach.sentence(effective.limits)) }
        return result.exit.shellCode
    }

    private func profile() throws -> Profile {
        let library = ProfileLibrary(
            directories: options.profiles.map(\.absolute) + [options.places.profiles] + ProfileDirectories.standard)
        var effective = try library.profile(named: options.profile)
        for name in options.without {
            guard let feature = Feature(rawValue: name) else {
                throw Failure(
                    "“\(name)” is no feature of a sandbox; known: \(Feature.allCases.map(\.rawValue).joined(separator: ", ")).",
                    code: 2)
            }
            effective.require.removeAll { $0 == feature }
            effective.optional.append(feature)
        }
        return effective
    }

    /// What a command can't do without: its terminal's kind and the caller's language; everything else is the profile's.
    private static func environment() -> [String: String] {
        var result: [String: String] = [:]
        for name in ["TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "COLUMNS", "LINES", "NO_COLOR"] {
            result[name] = Processes.variable(name)
        }
        return result
    }
}
