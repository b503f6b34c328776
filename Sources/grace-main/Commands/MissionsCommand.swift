import Local
import ArgumentParser
import Documents
import FoundationEssentials
import NIOHTTP1

let missionsPath = "/mission-control/autonomous/missions"

struct MissionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "missions", abstract: "List, show, follow and cancel missions.",
        subcommands: [List.self, Show.self, Follow.self, Cancel.self, Retest.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List missions, newest first.")
        @OptionGroup var client: ClientOptions
        @Option(help: "Only missions in this phase.") var phase: String?
        @Option(help: "At most this many.") var limit = 50

        func run() async throws {
            var query = "?limit=\(limit)"
            if let phase { query += "&phase=\(phase.urlEncoded)" }
            let answer = try await client.client().call(.GET, missionsPath + query)
            if client.json { return Terminal.line(answer.canonicalText) }
            var table = Table("MISSION", "PHASE", "TRUST", "SESSION", "TITLE")
            for mission in answer["missions"]?.array ?? [] {
                table.add(
                    mission["mission_id"]?.string ?? "", mission["phase"]?.string ?? "",
                    mission["trust_score"]?.number.map { Format.decimal($0, 3) } ?? "-",
                    mission["parliament_session_id"]?.string ?? "-", mission["title"]?.string ?? "")
            }
            table.show()
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a mission: its phase, evidence, trust with its parts, and what it changes.")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The mission's id.") var id: String

        func run() async throws {
            let api = try client.client()
            let mission = try await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)")
            let evidence = try? await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)/evidence")
            let changes = try? await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)/changes")
            if client.json {
                return Terminal.line(
                    JSON.object(["mission": mission, "evidence": evidence ?? .null, "changes": changes ?? .null])
                        .canonicalText)
            }
            for line in MissionView.lines(mission, evidence: evidence, changes: changes) { Terminal.line(line) }
        }
    }

    struct Follow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow missions live until one waits for people or is settled.")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The mission's id; without it the next mission that appears is followed.") var id: String?
        @Option(help: "End when the mission reaches one of these phases (comma-separated), besides the settled ones.")
        var until: String = ""

        func run() async throws {
            let phase = try await Follower(
                api: try client.client(), json: client.json, until: Set(until.split(separator: ",").map(String.init))
            )
            .follow(id)
            Terminal.line(phase.id)
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Cancel a mission that is not live.")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The mission's id.") var id: String
        @Option(help: "Why.") var reason: String

        func run() async throws {
            let answer = try await client.client().call(
                .POST, "\(missionsPath)/\(id.urlEncoded)/cancel", ["reason": .string(reason)])
            Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "Cancelled.")
        }
    }

    struct Retest: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Test a mission again, against live as it is now (after a conflict, an expiry or a failure).")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The mission's id.") var id: String
        @Option(help: "Why.") var reason: String

        func run() async throws {
            let answer = try await client.client().call(
                .POST, "\(missionsPath)/\(id.urlEncoded)/retest", ["reason": .string(reason)])
            Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "It is tested again.")
        }
    }
}

struct FeedbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "feedback", abstract: "Add feedback to a mission.")
    @OptionGroup var client: ClientOptions
    @Argument(help: "The mission's id.") var id: String
    @Argument(help: "The feedback.") var text: String

    func run() async throws {
        let answer = try await client.client().call(
            .POST, "\(missionsPath)/\(id.urlEncoded)/feedback", ["feedback": .string(text)])
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "Recorded.")
    }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop proposals, trials and promotions at once; survives restarts. Rollbacks go on.")
    @OptionGroup var client: ClientOptions
    @Option(help: "Why.") var reason: String

    func run() async throws {
        let answer = try await client.client().call(.POST, "/api/pause", ["reason": .string(reason)])
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "Paused.")
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a pause back.")
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let answer = try await client.client().call(.POST, "/api/resume", .object([:]))
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "Resumed.")
    }
}
