import Agent
import ArgumentParser
import Cgroups
import Documents
import Glibc
import Linux
import Local
import Sandbox

struct ProfilesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profiles", abstract: "List, show and check sandbox profiles.",
        subcommands: [List.self, Show.self, Check.self],
        defaultSubcommand: List.self)

    struct Where: ParsableArguments {
        @OptionGroup var placesOptions: PlacesOptions
        @Option(help: "A directory of profiles, searched first.") var profiles: [String] = []

        var library: ProfileLibrary {
            ProfileLibrary(
                directories: profiles.map(\.absolute) + [placesOptions.places.profiles] + ProfileDirectories.standard)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the profiles found.")
        @OptionGroup var place: Where

        func run() async throws {
            var table = Table("PROFILE", "NETWORK", "DESCRIPTION")
            for name in place.library.names() {
                do {
                    let profile = try place.library.profile(named: name)
                    table.add(name, profile.network.rawValue, profile.description)
                } catch {
                    table.add(name, "-", "refused: \(error)")
                }
            }
            table.show()
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a profile's effective result, everything it is built on resolved, as a profile file.",
            discussion: """
                What is printed reads back to the same profile and digest. With --json, seccomp_effective is what its system-call \
                policy comes to on this host, with what is denied whatever a file says.
                """)
        @OptionGroup var place: Where
        @Flag(help: "Print JSON instead of YAML.") var json = false
        @Argument(help: "The profile's name.") var name: String

        func run() async throws {
            let profile = try place.library.profile(named: name)
            guard json else {
                Terminal.line("# Digest: \(profile.digest)\n" + profile.yaml.dropLast())
                return
            }
            var shown = try JSON(encoding: profile)
            if case .object(var members) = shown {
                members["seccomp_effective"] = try JSON(encoding: profile.seccompSummary)
                shown = .object(members)
            }
            Terminal.line(shown.canonicalText)
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Say line by line what is wrong with profiles, what this host can't honour of them, and how to mend it.",
            discussion: "Exits with 1 when a file has mistakes or no sandbox of a profile would start here.")
        @OptionGroup var place: Where
        @Argument(help: "Profiles to check; all that are found when none is named.") var names: [String] = []

        func run() async throws {
            let scratch = try Temporary.directory("grace-profiles")
            defer { try? Files.removeTree(scratch) }
            let engine = SandboxEngine(
                cgroups: try? CgroupHost.detect(), cgroupParent: "grace", helper: try SandboxEngine.locateHelper(),
                scratch: scratch)
            let features = engine.features()
            let facts = try HostFacts.read()
            var isGood = true
            for name in names.isEmpty ? place.library.names() : names {
                let profile: Profile
                do {
                    profile = try place.library.profile(named: name)
                } catch {
                    isGood = false
                    Terminal.line("\(Terminal.styled("no ", .red, .bold)) \(name)")
                    for line in "\(error)".split(separator: "\n") { Terminal.line("      \(line)") }
                    continue
                }
                let found = profile.check(
                    against: features, memory: Int64(clamping: facts.memory), cores: Int(facts.cores))
                if found.contains(where: { $0.level == .refused }) { isGood = false }
                show(name, found)
            }
            if !isGood { throw ExitCode(1) }
        }

        private func show(_ name: String, _ found: [ProfileCheck]) {
            let mark =
                switch found.first?.level {
                case .refused: Terminal.styled("no ", .red, .bold)
                case .weaker: Terminal.styled("but", .yellow)
                case .note, nil: Terminal.styled("ok ", .green)
                }
            Terminal.line("\(mark) \(name)")
            for line in found {
                Terminal.line(
                    "      \(line.level.rawValue): \(line.key): \(line.what)" + (line.mend.map { "  → \($0)" } ?? ""))
            }
        }
    }
}
