internal import FoundationEssentials
internal import Linux
internal import Missions

/// Makes running processes take up promoted files: reload, restart, run, in this order, up to the first failure.
struct LiveApplier: Sendable {
    /// The program that talks to systemd.
    let systemctl: String
    /// Until a reload, restart or command is killed and counts as failed.
    var timeout: Duration = .seconds(120)
    /// Does nothing, successfully: what would take the files up starts later anyway.
    var isSilent = false

    func apply(_ apply: LiveApply) async -> [ApplyReport] {
        var reports: [ApplyReport] = []
        guard !isSilent else { return reports }
        for unit in apply.reload where reports.allSatisfy(\.succeeded) { reports.append(await control("reload", unit)) }
        for unit in apply.restart where reports.allSatisfy(\.succeeded) {
            reports.append(await control("restart", unit))
        }
        for line in apply.run where reports.allSatisfy(\.succeeded) {
            reports.append(await run("run \(line)", "/bin/sh", ["-c", line]))
        }
        return reports
    }

    private func control(_ verb: String, _ unit: String) async -> ApplyReport {
        let step = "\(verb) \(unit)"
        guard !unit.isEmpty, !unit.hasPrefix("-") else {
            return ApplyReport(step: step, succeeded: false, message: "“\(unit)” is not a unit's name")
        }
        do {
            let shown = try await Processes.run(
                systemctl, arguments: ["show", "--property=LoadState", "--value", "--", unit], timeout: .seconds(20),
                limit: 4096)
            let state = shown.output.filter { !$0.isWhitespace }
            guard shown.isSuccess, state == "loaded" else {
                let seen = shown.isSuccess ? "its load state is “\(state)”" : Self.last(of: shown)
                return ApplyReport(
                    step: step, succeeded: false,
                    message:
                        "systemd does not know \(unit): \(seen). Name a unit that `systemctl status` shows, or use `run`"
                )
            }
        } catch {
            return ApplyReport(
                step: step, succeeded: false,
                message: "this host has no usable systemctl (\(error)). Use `run` with the service's own command")
        }
        return await run(step, systemctl, [verb, "--", unit])
    }

    private func run(_ step: String, _ program: String, _ arguments: [String]) async -> ApplyReport {
        do {
            let output = try await Processes.run(program, arguments: arguments, timeout: timeout, limit: 64 << 10)
            if output.isSuccess { return ApplyReport(step: step, succeeded: true) }
            return ApplyReport(step: step, succeeded: false, message: Self.last(of: output))
        } catch {
            return ApplyReport(step: step, succeeded: false, message: "it could not be started: \(error)")
        }
    }

    private static func last(of output: ProcessOutput) -> String {
        let text = BytePath.display(output.stderr.isEmpty ? output.stdout.suffix(500) : output.stderr.suffix(500))
        let end = output.timedOut ? "its time was up" : "\(output.exit)"
        return text.isEmpty ? end : "\(end): \(text)"
    }
}
