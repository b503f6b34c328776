import Linux
import Local
import Agent
import ArgumentParser
import Documents
import FoundationEssentials
import Ledger
import NIOHTTP1

struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and verify the ledger.",
        subcommands: [Entries.self, VerifyLog.self, Prove.self, CheckpointCommand.self],
        defaultSubcommand: Entries.self)

    struct Entries: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List entries, oldest first.")
        @OptionGroup var client: ClientOptions
        @Option(help: "At most this many.") var limit = 100
        @Option(help: "Only after this index.") var after: Int?

        func run() async throws {
            let query = "?limit=\(limit)" + (after.map { "&after=\($0)" } ?? "")
            let answer = try await client.client().call(.GET, "/api/log/entries" + query)
            if client.json { return Terminal.line(answer.canonicalText) }
            var table = Table("INDEX", "AT", "KIND", "MISSION", "ACTOR")
            for item in answer["entries"]?.array ?? [] {
                let entry = item["entry"] ?? item
                table.add(
                    item["index"]?.integer.map(String.init) ?? "", entry["at"]?.string ?? "",
                    entry["kind"]?.string ?? "",
                    entry["mission"]?.string ?? "-", entry["actor"]?.string ?? "")
            }
            table.show()
        }
    }

    struct VerifyLog: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract:
                "Recompute the whole ledger from its tiles and check its signed checkpoint. Needs no coordinator with --ledger."
        )
        @OptionGroup var client: ClientOptions
        @Option(help: "The ledger's directory (STATE/coordinator/ledger of `grace up`).") var ledger: String?
        @Option(
            help:
                "The ledger's verifier key, or a file that holds it (RUNTIME or STATE/agent/ledger.pub, as the agent pinned it)."
        )
        var key: String?

        func run() async throws {
            let places = client.placesOptions.places
            let directory = ledger?.absolute ?? places.coordinatorState + "/ledger"
            let verifier = try LedgerKey.load(key, places: places)
            let report = try LogReader.verify(directory: directory, key: verifier)
            if client.json {
                Terminal.line(
                    JSON.object([
                        "ok": .bool(report.isIntact), "size": .string("\(report.checkpoint.size)"),
                        "root": .string(report.checkpoint.root.hex), "origin": .string(report.checkpoint.origin),
                        "problems": .array(report.problems.map { .string($0) }),
                    ]).canonicalText)
            } else if report.isIntact {
                Terminal.line(
                    Terminal.styled("The ledger is whole", .green)
                        + ": \(report.entries) entries, root \(report.checkpoint.root.hex), signed by \(verifier.name)."
                )
            }
            guard report.isIntact else {
                throw Failure("The ledger is damaged: " + report.problems.joined(separator: "; "), code: 1)
            }
        }
    }

    struct Prove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print an inclusion proof for an entry (RFC 6962).")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The entry's index.") var index: UInt64
        @Option(help: "The ledger's directory.") var ledger: String?
        @Option(help: "The ledger's verifier key or a file that holds it.") var key: String?

        func run() async throws {
            let places = client.placesOptions.places
            let verifier = try LedgerKey.load(key, places: places)
            let reader = try LogReader(
                directory: ledger?.absolute ?? places.coordinatorState + "/ledger", key: verifier)
            let proof = try reader.inclusionProof(index: index)
            Terminal.line(
                JSON.object([
                    "index": .string("\(index)"), "checkpoint": .string(reader.checkpoint.note),
                    "proof": .array(proof.map { .string($0.hex) }),
                ]).canonicalText)
        }
    }

    struct CheckpointCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "checkpoint", abstract: "Print the ledger's latest signed checkpoint.")
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let note = try await client.client().raw(.GET, "/ledger/checkpoint")
            Terminal.line(String(decoding: note, as: UTF8.self))
        }
    }
}
