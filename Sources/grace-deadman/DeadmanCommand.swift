import ArgumentParser
import Fork
import Glibc
import Linux
import Promotion

/// The process that takes a promotion back when nobody confirms it. It needs neither agent nor coordinator, holds no key, and
/// goes by the promoter's journal alone.
@main
struct DeadmanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grace-deadman",
        abstract:
            "Takes a promotion back unless the watch confirms it in time. Started by grace, and by systemd at boot.",
        subcommands: [Guard.self, Boot.self])

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            if code == .success {
                print(fullMessage(for: error))
            } else if code == .validationFailure {
                say(fullMessage(for: error))
            } else {
                say("\(error)")
            }
            Glibc.exit(code.rawValue)
        }
    }

    static func say(_ text: String) {
        let line = Array("grace-deadman: \(text)\n".utf8)
        _ = write(2, line, line.count)
    }
}

struct StateOptions: ParsableArguments {
    @Option(help: "The promoter's state directory.")
    var state = "/var/lib/grace/promotions"

    @Option(help: "The directory that holds blobs by their SHA-256.")
    var blobs = "/var/lib/grace/blobs"

    @Option(help: "The directory that is / for promotions.")
    var root = "/"

    @Option(help: "The program that reloads and restarts units.")
    var systemctl = "systemctl"

    func promoter(applies: Bool) -> Promoter {
        // The agent's journal is the agent's alone; it enters what happened when it is back, from the promoter's own record.
        Promoter(
            root: root, state: state, blobs: BlobStore(root: blobs), record: { _, _ in }, systemctl: systemctl,
            applies: applies)
    }
}

struct Guard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait for one promotion's deadline, and take it back when nobody confirmed it.")
    @OptionGroup var options: StateOptions

    @Option(help: "Seconds after the deadline that are left to the agent.")
    var grace = 5.0

    @Argument(help: "The promotion.")
    var id: String

    func run() async throws {
        let guardian = Guardian(promoter: options.promoter(applies: true), grace: grace)
        try GuardMark.set(state: options.state, id: id)
        let ending = try await guardian.watch(id: id) { DeadmanCommand.say($0) }
        switch ending {
        case .settled(let phase): DeadmanCommand.say("the promotion \(id) is \(phase.rawValue); nothing is left to do.")
        case .gone: DeadmanCommand.say("the promotion \(id) is gone; nothing is left to do.")
        case .fired(.rolledBack): DeadmanCommand.say("nobody confirmed the promotion \(id) in time: it was taken back.")
        case .fired(.frozen):
            DeadmanCommand.say("nobody confirmed the promotion \(id) in time, and it is frozen: a person must look.")
        }
    }
}

struct Boot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make live whole after a reboot, take back what is overdue, and guard what is not.",
        discussion: "Runs before services start, so nothing is reloaded or restarted.")
    @OptionGroup var options: StateOptions

    func run() async throws {
        guard try Files.status(options.state) != nil else { return }
        let promoter = options.promoter(applies: false)
        var trouble = false
        for outcome in try await promoter.recover() {
            DeadmanCommand.say("the promotion \(outcome.id) is \(outcome.live.rawValue): \(outcome.reason)")
            if outcome.live == .undecided { trouble = true }
        }
        for id in try promoter.due() {
            do {
                let result = try await promoter.expire(id: id)
                DeadmanCommand.say(
                    result == .rolledBack
                        ? "the promotion \(id) was not confirmed before the reboot's end: it was taken back."
                        : "the promotion \(id) was not confirmed in time and is frozen: a person must look.")
            } catch {
                DeadmanCommand.say("the promotion \(id) is overdue and could not be taken back: \(error)")
                trouble = true
            }
        }
        let launcher = GuardLauncher(
            state: options.state, blobs: options.blobs, root: options.root,
            program: try Files.readlink("/proc/self/exe").string)
        for id in try promoter.watched() {
            do {
                try launcher.start(id)
            } catch {
                DeadmanCommand.say("\(error)")
                trouble = true
            }
        }
        if trouble { throw ExitCode(1) }
    }
}
