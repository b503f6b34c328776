internal import FoundationEssentials
internal import Linux
internal import Measurement
internal import Sandbox

/// A command workload: its duration is the latency, unless it reports operations on descriptor 3.
struct CommandRun {
    let line: String
    let sandbox: Sandbox

    init(_ line: String, sandbox: Sandbox) {
        self.line = line
        self.sandbox = sandbox
    }

    func report() async throws -> LoadReport {
        let pipe = try Pipe.make()
        let collected = Task {
            try await Threads.run("fd3") { try Pipe.drain(pipe.read, limit: 32 << 20) }
        }
        let clock = ContinuousClock()
        let start = clock.now
        let process = try await sandbox.spawn(
            .shell(line), stdin: .null, stdout: .capture(limit: ArmRunner.outputLimit),
            stderr: .capture(limit: ArmRunner.outputLimit), extra: [3: pipe.write])
        pipe.write.close()
        let exit = try await process.wait()
        let duration = (clock.now - start) / .seconds(1)
        let output = try await collected.value
        return try CommandWorkload.report(output: output, duration: duration, exitCode: exit.shellCode)
    }
}
