internal import Documents
internal import FoundationEssentials
internal import Linux
internal import Missions
internal import Sandbox

/// The services of one arm: started in order, each awaited until it is ready.
final class ServiceGroup: Sendable {
    private let specifications: [ServiceSpecification]
    private let sandbox: Sandbox
    private let running = Running()

    private actor Running {
        var processes: [(name: String, process: SandboxProcess)] = []
        var ended: [String: ProcessExit] = [:]
        var secrets: [String] = []

        func add(_ name: String, _ process: SandboxProcess) { processes.append((name, process)) }
        func keep(secret: String) { secrets.append(secret) }
        func end(_ name: String, _ exit: ProcessExit) { ended[name] = exit }
    }

    init(_ specifications: [ServiceSpecification], sandbox: Sandbox) {
        self.specifications = specifications
        self.sandbox = sandbox
    }

    func start() async throws {
        for service in specifications {
            var environment = service.environment
            for (name, source) in service.secrets {
                let text = try Files.readString(source.file, limit: 64 << 10)
                let value = text.hasSuffix("\n") ? String(text.dropLast()) : text
                environment[name] = value
                await running.keep(secret: value)
            }
            var command = Command.shell(service.run)
            command.environment = environment
            command.directory = service.directory
            command.user = service.user
            let process = try await sandbox.spawn(
                command, stdin: .null, stdout: .capture(limit: ArmRunner.outputLimit),
                stderr: .capture(limit: ArmRunner.outputLimit), extra: [:])
            await running.add(service.run, process)
            let running = running
            Task {
                let exit = try? await process.wait()
                await running.end(service.run, exit ?? .signaled(9))
            }
            if let ready = service.ready { try await wait(ready, for: service, process) }
        }
    }

    private func wait(_ ready: Readiness, for service: ServiceSpecification, _ process: SandboxProcess) async throws {
        let target = try ReadyCheck.target(ready.http)
        let deadline = ContinuousClock.now + .seconds(ready.within)
        var last = "it was never asked"
        while ContinuousClock.now < deadline {
            try Task.checkCancellation()
            if let exit = await running.ended[service.run] {
                throw AgentError(
                    "The service “\(service.run)” ended before it was ready (\(exit)). It wrote: \(await redacted(process))"
                )
            }
            switch await ReadyCheck.status(target, network: sandbox.networkNamespace, timeout: 1) {
            case .success(let status) where (200..<400).contains(status): return
            case .success(let status): last = "the last answer was \(status)"
            case .failure(let error): last = "\(error)"
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw AgentError(
            "The service “\(service.run)” was not ready at \(ready.http) within \(Span(seconds: ready.within)) (\(last)). "
                + "It wrote: \(await redacted(process))")
    }

    /// What a service wrote last, without the secrets it was given.
    private func redacted(_ process: SandboxProcess) async -> String {
        await running.secrets.filter { !$0.isEmpty }.reduce(process.tail) { $0.replacing($1, with: "(secret)") }
    }

    /// A service that died during the workload makes the arm's figures meaningless as figures of a service.
    func stillRunning() async throws {
        for (name, process) in await running.processes {
            if let exit = await running.ended[name] {
                throw AgentError(
                    "The service “\(name)” ended during the workload (\(exit)). It wrote: \(await redacted(process))")
            }
        }
    }
}

extension SandboxProcess {
    /// The end of what the process wrote, for an error's sentence.
    var tail: String {
        let text = String(decoding: stderr + stdout, as: UTF8.self)
        return text.isEmpty ? "nothing" : "…" + text.suffix(600)
    }
}
