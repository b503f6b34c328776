internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Measurement
internal import Missions
internal import Sandbox

/// Runs a mission's checks in the candidate fork, each in a sandbox of its own, and reads the reports they write.
struct CheckRunner {
    let sandboxes: MissionSandbox
    let checks: [CheckSpecification]

    struct Results {
        var results: [CheckResult] = []
        var once: [KPI: OnceMeasurement] = [:]
    }

    /// What the reports of all checks hold together.
    private struct Collected {
        var coverage: Double?
        var tests: [Reports.Tests] = []
        var findings: [Reports.Findings] = []

        /// Checks run in the candidate fork alone, so the baseline's figures are not measured: these stand for showing.
        var once: [KPI: OnceMeasurement] {
            let reason = "checks run in the candidate fork; the baseline's figure is not measured"
            var result: [KPI: OnceMeasurement] = [:]
            if let coverage {
                result[.test_coverage] = OnceMeasurement(baseline: nil, candidate: coverage, reason: reason)
            }
            if let quality = Reports.codeQuality(tests: tests, findings: findings) {
                result[.code_quality] = OnceMeasurement(baseline: nil, candidate: quality, reason: reason)
            }
            return result
        }
    }

    func run() async throws -> Results {
        var all = Results()
        var reports = Collected()
        for (index, check) in checks.enumerated() {
            let arm = Fork.Arm.candidate(instance: "check\(index)")
            let sandbox = try await sandboxes.start(arm, label: "check\(index)")
            let outcome: Result<CheckResult, any Error>
            do {
                outcome = .success(try await sandbox.untilCancelled { try await run(check, in: sandbox, &reports) })
            } catch {
                outcome = .failure(error)
            }
            try await sandboxes.end(sandbox, part: "check \(check.name)")
            try sandboxes.fork.discardInstance(arm)
            all.results.append(try outcome.get())
        }
        all.once = reports.once
        return all
    }

    private func run(
        _ check: CheckSpecification, in sandbox: Sandbox, _ reports: inout Collected
    ) async throws -> CheckResult {
        let process = try await sandbox.spawn(
            .shell(check.run), stdin: .null, stdout: .capture(limit: 256 << 10), stderr: .capture(limit: 256 << 10),
            extra: [:])
        let timer = Task {
            try await Task.sleep(for: .seconds(check.timeout))
            await process.signalGroup(9)
        }
        let exit = try await process.wait()
        timer.cancel()
        var result = CheckResult(
            name: check.name, passed: exit.isSuccess, exitCode: exit.shellCode,
            message: exit.isSuccess ? "exit 0" : "\(exit): \(process.tail)")
        if let path = check.junit {
            let report = try Reports.junit(try await read(path, in: sandbox), name: path)
            reports.tests.append(report)
            result.testsPassed = report.passed
            result.testsFailed = report.failed
            if report.failed > 0 { result.passed = false }
            result.message = "\(report.passed) tests passed, \(report.failed) failed"
        }
        if let path = check.sarif {
            let findings = try Reports.sarif(try await read(path, in: sandbox), name: path)
            reports.findings.append(findings)
            result.message += "; \(findings.errors) errors, \(findings.warnings) warnings in its SARIF report"
        }
        if let path = check.coverage {
            let coverage = try Reports.coverage(try await read(path, in: sandbox), name: path).share
            result.coverage = coverage
            reports.coverage = coverage
        }
        return result
    }

    private func read(_ path: String, in sandbox: Sandbox) async throws -> Data {
        let process = try await sandbox.spawn(
            Command(arguments: ["/bin/cat", "--", path]), stdin: .null, stdout: .capture(limit: 32 << 20),
            stderr: .capture(limit: 4096), extra: [:])
        let exit = try await process.wait()
        guard exit.isSuccess else {
            throw AgentError(
                "The check's report \(path) can't be read in the fork: \(String(decoding: process.stderr, as: UTF8.self))"
            )
        }
        return process.stdout
    }
}
